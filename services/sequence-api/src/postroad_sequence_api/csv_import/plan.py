"""What a batch of rows does to the contacts that stand."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from postroad_common.ids import new_id
from postroad_sequence_api.csv_import.rows import Note, Row, rejected, warning
from postroad_sequence_api.models.contacts import MOST_ATTRIBUTES


@dataclass(slots=True)
class Standing:
    """A contact as it stands, or will. line: the first of the file that is about it."""

    contact_id: UUID
    values: dict[str, Any]
    is_new: bool
    line: int | None = None
    changed: bool = False

    def merged(self, row: Row) -> dict[str, Any]:
        """Its values with what the row says; what the row does not say stays."""
        return {**self.values, **row.values, "attributes": {**self.values["attributes"], **row.attributes}}


@dataclass(slots=True)
class Plan:
    """What to write of a batch, and what to say of it. met: the contacts of which the file had said nothing before."""

    met: list[Standing] = field(default_factory=list)
    changed: list[Standing] = field(default_factory=list)
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    notes: list[Note] = field(default_factory=list)

    def inserts(self) -> list[Standing]:
        """The contacts to add."""
        return [contact for contact in self.changed if contact.is_new]

    def updates(self) -> list[Standing]:
        """The contacts to write anew."""
        return [contact for contact in self.changed if not contact.is_new]


@dataclass(slots=True)
class _Register:
    """The contacts by what rows find them by."""

    by_email: dict[str, Standing] = field(default_factory=dict)
    by_external_id: dict[str, Standing] = field(default_factory=dict)

    def enter(self, contact: Standing) -> None:
        """Let rows find a contact."""
        self.by_email[contact.values["email"]] = contact
        if contact.values["external_id"] is not None:
            self.by_external_id[contact.values["external_id"]] = contact

    def named(self, row: Row) -> tuple[Standing | None, Standing | None]:
        """The contact with the row's external id, and the one with its address."""
        own = self.by_external_id.get(row.external_id) if row.external_id is not None else None
        return own, self.by_email.get(row.email)

    def change(self, contact: Standing, values: dict[str, Any]) -> None:
        """Give a contact new values; what it had is free for others."""
        self.by_email.pop(contact.values["email"])
        contact.values = values
        self.enter(contact)


def plan(rows: Iterable[Row], standing: Sequence[Mapping[str, Any]]) -> Plan:
    """Find each row's contact by the tenant's id, else by address, and merge it in, row after row.

    standing: contacts by column name; `line` is the first of the file that was about it, if an earlier batch had one.
    """
    made, register = Plan(), _Register()
    for record in standing:
        values = {name: value for name, value in record.items() if name not in {"contact_id", "line"}}
        register.enter(Standing(record["contact_id"], values, is_new=False, line=record.get("line")))
    for row in rows:
        own, holder = register.named(row)
        contact = own or holder
        if (refusal := _refusal(row, own, holder)) is not None:
            made.notes.append(refusal)
        elif contact is None:
            _create(made, register, row)
        else:
            _merge(made, register, contact, row)
    return made


def _create(made: Plan, register: _Register, row: Row) -> None:
    values = {**_BLANK, **row.values, "attributes": dict(row.attributes)}
    contact = Standing(new_id(), values, is_new=True, line=row.line, changed=True)
    made.met.append(contact)
    made.changed.append(contact)
    made.created += 1
    made.notes.extend(row.warnings)
    register.enter(contact)


def _merge(made: Plan, register: _Register, contact: Standing, row: Row) -> None:
    merged = contact.merged(row)
    if len(merged["attributes"]) > MOST_ATTRIBUTES:
        reason = f"the contact would have more than {MOST_ATTRIBUTES} attributes"
        made.notes.append(rejected(row.line, None, reason, row.email))
        return
    made.notes.extend(row.warnings)
    if contact.line is None:
        contact.line = row.line
        made.met.append(contact)
    else:
        made.notes.append(warning(row.line, "email", f"is the contact of line {contact.line} again", row.email))
    if merged == contact.values:
        made.unchanged += 1
        return
    if not contact.changed:
        made.changed.append(contact)
    contact.changed = True
    made.updated += 1
    register.change(contact, merged)


_BLANK: Final[Mapping[str, Any]] = {
    "external_id": None,
    "first_name": "",
    "last_name": "",
    "company": "",
    "kind": "lead",
    "timezone": None,
    "account_id": None,
}


def _refusal(row: Row, own: Standing | None, holder: Standing | None) -> Note | None:
    if own is not None and holder is not None and holder is not own:
        return rejected(row.line, "email", "another contact has this address", row.email)
    if own is None and holder is not None and row.external_id is not None:
        held = holder.values["external_id"]
        if held is not None:
            reason = f"the contact with this address has the external id {held!r}"
            return rejected(row.line, "external_id", reason, row.external_id)
    return None
