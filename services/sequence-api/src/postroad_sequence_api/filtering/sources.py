"""Where to look for contacts that may meet a filter: indexes that name every contact that does, and perhaps others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from postroad_sequence_api.filtering.checking import definition, type_of
from postroad_sequence_api.filtering.comparing import compared, equal, prefix
from postroad_sequence_api.filtering.conditions import ENGAGED, Conditions
from postroad_sequence_api.filtering.fragments import Bound, Sql, joined, sql
from postroad_sequence_api.filtering.schema import STATES, Type
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
    Operator,
    Or,
    Value,
)

_RUNNING: Final = frozenset({"active", "paused"})
_FOLDED: Final[Mapping[str, str]] = {
    "domain": "domain",
    "first_name": "first_name_folded",
    "last_name": "last_name_folded",
    "company": "company_folded",
}
_RANGES: Final[frozenset[Operator]] = frozenset({"=", "<", "<=", ">", ">=", "in", "within"})


@dataclass(frozen=True, slots=True)
class Source:
    """Rows with a contact_id. ordered: an index gives them by contact_id. once: no contact comes twice."""

    rows: Sql
    ordered: bool
    once: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    """Finds the sources of a filter that has been checked."""

    conditions: Conditions

    def of(self, node: Node) -> tuple[Source, ...]:  # noqa: PLR0911 - one for each kind of node
        """The sources, each of which is enough by itself; none: all contacts must be looked at."""
        match node:
            case And(terms):
                return tuple(source for term in terms for source in self.of(term))
            case Or(terms):
                each = [self.of(term) for term in terms]
                if not all(each):
                    return ()
                return (Source(joined(" UNION ALL ", (found[0].rows for found in each)), ordered=False),)
            case Not() | Comparison(operator="!="):
                return ()
            case Comparison(subject=Field()):
                return self._of_field(node)
            case Comparison(subject=Attribute()):
                return self._of_attribute(node)
            case Comparison():
                return self._of_state(node)
            case Fact():
                return self._of_fact(node)
            case Enrolled():
                return self._of_enrolled(node)
            case _:
                assert_never(node)

    def _of_field(self, comparison: Comparison) -> tuple[Source, ...]:  # noqa: PLR0911 - one for each index
        assert isinstance(comparison.subject, Field)  # noqa: S101 - what `of` gives it
        name, operator, values = comparison.subject.name, comparison.operator, comparison.values
        exact = operator in ("=", "in")
        match name:
            case "id" | "external_id" | "kind" if exact:
                column = {"id": "contact_id"}.get(name, name)
                type_ = type_of(comparison, self.conditions.schema)
                return self._each(values, lambda one: compared(sql(f"c.{column}"), type_, "=", (one,), self._now))
            case "email" if exact:
                return self._each(values, lambda one: equal("c.email", one, plain=True))
            case "email" if operator == "starts with":
                return (self._contacts(prefix("c.email", values[0], plain=True)),)
            case "domain" | "first_name" | "last_name" | "company" if exact:
                some = "" if name == "domain" else f" AND c.{_FOLDED[name]} <> ''"
                return self._each(values, lambda one: sql(equal(f"c.{_FOLDED[name]}", one), some))
            case "domain" | "first_name" | "last_name" | "company" if operator == "starts with":
                some = "" if name == "domain" else f" AND c.{_FOLDED[name]} <> ''"
                return (self._contacts(sql(prefix(f"c.{_FOLDED[name]}", values[0]), some)),)
            case "created_at" if operator in _RANGES:
                range_ = compared(sql("c.created_at"), Type.DATETIME, operator, values, self._now, as_text=False)
                return (self._contacts(range_),)
            case "last_opened_at" | "last_clicked_at" | "last_replied_at" if operator in _RANGES:
                range_ = compared(sql(f"g.{name}"), Type.DATETIME, operator, values, self._now, as_text=False)
                rows = sql("SELECT g.contact_id FROM views.contact_engagement g WHERE g.tenant_id = ", self._tenant)
                return (Source(sql(rows, f" AND g.{name} IS NOT NULL AND ", range_), ordered=False, once=True),)
            case "account.id" if exact:
                return self._each(
                    values, lambda one: compared(sql("c.account_id"), Type.ID, "=", (one,), self._now)
                )  # fmt: skip
            case _ if name.startswith("account"):
                return self._of_account(comparison)
            case _:
                return ()

    def _of_attribute(self, comparison: Comparison) -> tuple[Source, ...]:  # noqa: PLR0911 - one for each index
        assert isinstance(comparison.subject, Attribute)  # noqa: S101 - what `of` gives it
        if comparison.subject.of_account:
            return self._of_account(comparison)
        defined = definition(comparison.subject.name, self.conditions.schema, of_account=False)
        if defined is None or defined.index is None:
            return ()
        rows = sql(
            "SELECT v.contact_id FROM sequence.contact_values v WHERE v.tenant_id = ", self._tenant,
            " AND v.attribute_id = ", Bound(defined.index, "uuid"),
        )  # fmt: skip
        operator, values = comparison.operator, comparison.values
        text = sql(rows, " AND v.text_value IS NOT NULL AND ")
        match defined.type:
            case _ if operator == "exists":
                return (Source(rows, ordered=True, once=True),)
            case Type.TEXT if operator in ("=", "in"):
                found = [sql(text, equal("v.text_value", value, cut=True)) for value in values]
            case Type.TEXT if operator == "starts with":
                return (Source(sql(text, prefix("v.text_value", values[0], cut=True)), ordered=False, once=True),)
            case Type.BOOLEAN if operator == "=":
                found = [sql(text, compared(sql("v.text_value"), Type.BOOLEAN, "=", values, self._now))]
            case Type.NUMBER if operator in ("=", "in"):
                number = sql(rows, " AND v.number_value IS NOT NULL AND ")
                found = [
                    sql(number, compared(sql("v.number_value"), Type.NUMBER, "=", (one,), self._now)) for one in values
                ]
            case Type.NUMBER if operator in _RANGES:
                range_ = compared(sql("v.number_value"), Type.NUMBER, operator, values, self._now)
                return (Source(sql(rows, " AND v.number_value IS NOT NULL AND ", range_), ordered=False, once=True),)
            case Type.DATE | Type.DATETIME if operator in _RANGES:
                range_ = compared(sql("v.text_value"), defined.type, operator, values, self._now)
                return (Source(sql(text, range_), ordered=False, once=True),)
            case _:
                return ()
        return (Source(joined(" UNION ALL ", found), ordered=len(found) == 1, once=len(found) == 1),)

    def _of_state(self, comparison: Comparison) -> tuple[Source, ...]:
        assert isinstance(comparison.subject, EnrollmentState)  # noqa: S101 - what `of` gives it
        sequence, states = comparison.subject.sequence, set(map(str, comparison.values))
        if sequence is not None:
            return (Source(sql("SELECT e.contact_id ", self.conditions.rows_of_sequence(sequence)), ordered=True),)
        if comparison.operator == "exists" or (states & _RUNNING and states - _RUNNING):
            return ()
        if states <= _RUNNING:
            return self._of_enrolled(Enrolled())
        ended = sql(
            "SELECT p.contact_id FROM views.progress p WHERE p.tenant_id = ", self._tenant, " AND p.phase = 'ended'",
        )  # fmt: skip
        each = [sql(ended, " AND p.state = ", Bound(state, "text")) for state in STATES if state in states]
        return (Source(joined(" UNION ALL ", each), ordered=len(each) == 1),)

    def _of_fact(self, fact: Fact) -> tuple[Source, ...]:
        rows = self.conditions.rows_of_fact(fact)
        if fact.happening in ENGAGED:
            return (Source(sql("SELECT g.contact_id ", rows), ordered=fact.within is None, once=True),)
        addresses = sql("SELECT s.email ", rows)
        named = sql(
            "SELECT c.contact_id FROM (", addresses, ") s JOIN sequence.contacts c ON c.tenant_id = ", self._tenant,
            " AND c.email = s.email",
        )  # fmt: skip
        return (Source(named, ordered=False),)

    def _of_enrolled(self, enrolled: Enrolled) -> tuple[Source, ...]:
        if enrolled.sequence is not None:
            rows = self.conditions.rows_of_sequence(enrolled.sequence)
        elif enrolled.ever:
            return ()
        else:
            rows = sql("FROM sequence.active_slots e WHERE e.tenant_id = ", self._tenant)
        return (Source(sql("SELECT e.contact_id ", rows), ordered=True),)

    def _of_account(self, comparison: Comparison) -> tuple[Source, ...]:
        rows = sql(
            "SELECT c.contact_id FROM sequence.accounts a JOIN sequence.contacts c ON c.tenant_id = ", self._tenant,
            " AND c.account_id = a.account_id WHERE a.tenant_id = ", self._tenant, " AND ",
            self.conditions.account_compared(comparison),
        )  # fmt: skip
        return (Source(rows, ordered=False),)

    def _each(self, values: tuple[Value, ...], condition: Callable[[Value], Sql]) -> tuple[Source, ...]:
        found = [self._contacts(condition(value)).rows for value in values]
        return (Source(joined(" UNION ALL ", found), ordered=len(found) == 1, once=len(found) == 1),)

    def _contacts(self, condition: Sql) -> Source:
        rows = sql(
            "SELECT c.contact_id FROM sequence.contacts c WHERE c.tenant_id = ", self._tenant, " AND ", condition
        )
        return Source(rows, ordered=False, once=True)

    @property
    def _tenant(self) -> Bound:
        return self.conditions.tenant

    @property
    def _now(self) -> datetime:
        return self.conditions.now
