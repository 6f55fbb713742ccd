"""The condition of a filter, as SQL over a row of sequence.contacts called c: true or false, never null."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from postroad_sequence_api.filtering.checking import definition, known_sequence, type_of
from postroad_sequence_api.filtering.comparing import compared
from postroad_sequence_api.filtering.fragments import Bound, Sql, joined, sql
from postroad_sequence_api.filtering.moments import before
from postroad_sequence_api.filtering.schema import Schema, Type
from postroad_sequence_api.filtering.tree import (
    And,
    Attribute,
    Comparison,
    Enrolled,
    EnrollmentState,
    Fact,
    Field,
    Node,
    Not,
    Or,
)

_COLUMNS: Final[Mapping[str, str]] = {
    "id": "c.contact_id",
    "email": "c.email",
    "domain": "c.domain",
    "external_id": "c.external_id",
    "kind": "c.kind",
    "first_name": "nullif(c.first_name_folded, '')",
    "last_name": "nullif(c.last_name_folded, '')",
    "company": "nullif(c.company_folded, '')",
    "timezone": "postroad.folded(c.timezone)",
    "created_at": "c.created_at",
    "updated_at": "c.updated_at",
    "account": "postroad.folded(a.name)",
    "account.id": "a.account_id",
    "account.domain": "a.domain",
    "account.external_id": "a.external_id",
    "last_opened_at": "g.last_opened_at",
    "last_clicked_at": "g.last_clicked_at",
    "last_replied_at": "g.last_replied_at",
    "opens": "nullif(g.opens, 0)",
    "clicks": "nullif(g.clicks, 0)",
    "replies": "nullif(g.replies, 0)",
}
_VALUES: Final[Mapping[Type, str]] = {
    Type.TEXT: "sequence.text_value",
    Type.NUMBER: "sequence.number_value",
    Type.BOOLEAN: "sequence.flag_value",
    Type.DATE: "sequence.moment_value",
    Type.DATETIME: "sequence.moment_value",
}
ENGAGED: Final = {"opened": "last_opened_at", "clicked": "last_clicked_at", "replied": "last_replied_at"}
"""What a contact does, by the column that says when it last did."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """Writes conditions for one tenant at one moment. The filter has been checked."""

    schema: Schema
    tenant: Bound
    now: datetime

    def of(self, node: Node) -> Sql:  # noqa: PLR0911 - one for each kind of node
        """The condition of a tree."""
        match node:
            case And(terms):
                return sql("(", joined(" AND ", map(self.of, terms)), ")")
            case Or(terms):
                return sql("(", joined(" OR ", map(self.of, terms)), ")")
            case Not(term):
                return sql("(NOT ", self.of(term), ")")
            case Comparison(subject, "!=", values):
                return self.of(Not(Comparison(subject, "=", values)))
            case Comparison():
                return self._comparison(node)
            case Fact():
                return _exists(sql(self.rows_of_fact(node), " AND ", _of_contact(node)))
            case Enrolled():
                return _exists(sql(self._rows_enrolled(node), " AND e.contact_id = c.contact_id"))
            case _:
                assert_never(node)

    def rows_of_fact(self, fact: Fact) -> Sql:
        """FROM and WHERE for whom or what address something happened to."""
        since = sql() if fact.within is None else Bound(before(self.now, fact.within), "timestamptz")
        if fact.happening in ENGAGED:
            column = f"g.{ENGAGED[fact.happening]}"
            rows = sql("FROM views.contact_engagement g WHERE g.tenant_id = ", self.tenant)
        else:
            column = "s.created_at"
            rows = sql("FROM views.suppressed_addresses s WHERE s.tenant_id = ", self.tenant)
            if fact.happening != "suppressed":
                rows = sql(rows, " AND s.kind = ", Bound(fact.happening, "text"))
        if fact.within is None:
            return sql(rows, f" AND {column} IS NOT NULL")
        return sql(rows, f" AND {column} >= ", since, f" AND {column} <= ", Bound(self.now, "timestamptz"))

    def rows_of_sequence(self, sequence: str) -> Sql:
        """FROM and WHERE for all enrollments in a sequence."""
        return sql(self._enrollments(), " AND e.sequence_id = ", self._sequence(sequence))

    def rows_in_state(self, comparison: Comparison, sequence: str | None) -> Sql:
        """FROM and WHERE for enrollments in one of some states. One that nobody has taken up yet is active."""
        rows = sql(
            "FROM sequence.enrollments e LEFT JOIN views.progress p ON p.tenant_id = ", self.tenant,
            " AND p.enrollment_id = e.enrollment_id WHERE e.tenant_id = ", self.tenant,
        )  # fmt: skip
        if sequence is not None:
            rows = sql(rows, " AND e.sequence_id = ", self._sequence(sequence))
        if comparison.operator == "exists":
            return rows
        return sql(rows, " AND coalesce(p.state, 'active') = ANY (", Bound(list(comparison.values), "text[]"), ")")

    def account_compared(self, comparison: Comparison) -> Sql:
        """A comparison over a row of sequence.accounts called a."""
        return self._compared(comparison, "a")

    def _comparison(self, comparison: Comparison) -> Sql:
        match comparison.subject:
            case EnrollmentState(sequence):
                rows = self.rows_in_state(comparison, sequence)
                return _exists(sql(rows, " AND e.contact_id = c.contact_id"))
            case Attribute(of_account=True):
                return self._of_account(comparison)
            case Attribute():
                return _sure(self._compared(comparison, "c"))
            case Field(name):
                if _COLUMNS[name].startswith(("a.", "postroad.folded(a.")):
                    return self._of_account(comparison)
                if "g." in _COLUMNS[name]:
                    return self._of_engagement(comparison, name)
                return _sure(self._compared(comparison, "c"))

    def _of_account(self, comparison: Comparison) -> Sql:
        rows = sql(
            "FROM sequence.accounts a WHERE a.tenant_id = ", self.tenant, " AND a.account_id = c.account_id AND "
        )
        return _exists(sql(rows, self.account_compared(comparison)))

    def _of_engagement(self, comparison: Comparison, name: str) -> Sql:
        rows = sql(
            "FROM views.contact_engagement g WHERE g.tenant_id = ", self.tenant, " AND g.contact_id = c.contact_id"
        )  # fmt: skip
        if type_of(comparison, self.schema) is Type.NUMBER and comparison.operator != "exists":
            # Who has no row has done nothing, which is a number.
            count = sql(f"coalesce((SELECT g.{name} ", rows, "), 0)")
            return _sure(compared(count, Type.NUMBER, comparison.operator, comparison.values, self.now))
        return _exists(sql(rows, " AND ", self._compared(comparison, "c")))

    def _compared(self, comparison: Comparison, row: str) -> Sql:
        type_, operator, values = type_of(comparison, self.schema), comparison.operator, comparison.values
        match comparison.subject:
            case Field(name):
                return compared(sql(_COLUMNS[name]), type_, operator, values, self.now, as_text=False)
            case Attribute(name, of_account):
                held = sql(f"{row}.attributes -> ", Bound(name, "text"))
                if operator == "exists" and definition(name, self.schema, of_account=of_account) is None:
                    return sql("jsonb_typeof(", held, ") <> 'null'")
                return compared(sql(f"{_VALUES[type_]}(", held, ")"), type_, operator, values, self.now)
            case _:
                raise AssertionError(comparison)

    def _rows_enrolled(self, enrolled: Enrolled) -> Sql:
        if enrolled.ever:
            return self._enrollments() if enrolled.sequence is None else self.rows_of_sequence(enrolled.sequence)
        rows = sql("FROM sequence.active_slots e WHERE e.tenant_id = ", self.tenant)
        if enrolled.sequence is None:
            return rows
        return sql(rows, " AND e.scope = 'sequence:' || ", self._sequence(enrolled.sequence), "::text")

    def _enrollments(self) -> Sql:
        return sql("FROM sequence.enrollments e WHERE e.tenant_id = ", self.tenant)

    def _sequence(self, name: str) -> Bound:
        return Bound(known_sequence(name, self.schema, 0), "uuid")


def _of_contact(fact: Fact) -> Sql:
    return sql("g.contact_id = c.contact_id" if fact.happening in ENGAGED else "s.email = c.email")


def _exists(rows: Sql) -> Sql:
    # OFFSET 0 keeps it a look-up for each contact: as a join or a hash the planner reads the other table whole.
    return sql("EXISTS (SELECT ", rows, " OFFSET 0)")


def _sure(condition: Sql) -> Sql:
    return sql("(", condition, ") IS TRUE")
