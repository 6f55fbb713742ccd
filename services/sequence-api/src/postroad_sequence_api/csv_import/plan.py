"""What a batch of rows does to the contacts that stand."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from postroad_common.ids import new_id
from postroad_sequence_api.csv_import.rows import Row, note
from postroad_sequence_api.models.contacts import RowNote


@dataclass(slots=True)
class Standing:
    """A contact as it stands, or will."""

    contact_id: UUID
    values: dict[str, Any]
    is_new: bool
    changed: bool = False

    def merged(self, row: Row) -> dict[str, Any]:
        """Its values with what the row says; what the row does not say stays."""
        return {**self.values, **row.values, "attributes": {**self.values["attributes"], **row.attributes}}


@dataclass(slots=True)
class Plan:
    """What to write of a batch, and what to say of it."""

    contacts: list[Standing] = field(default_factory=list)
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: list[RowNote] = field(default_factory=list)

    def inserts(self) -> list[Standing]:
        """The contacts to add."""
        return [contact for contact in self.contacts if contact.is_new]

    def updates(self) -> list[Standing]:
        """The contacts to write anew."""
        return [contact for contact in self.contacts if contact.changed and not contact.is_new]


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
    """Find each row's contact by the tenant's id, else by address, and merge it in, row after row."""
    made, register = Plan(), _Register()
    for record in standing:
        values = {name: value for name, value in record.items() if name != "contact_id"}
        register.enter(Standing(record["contact_id"], values, is_new=False))
    for row in rows:
        own, holder = register.named(row)
        if (refusal := _refusal(row, own, holder)) is not None:
            made.rejected.append(refusal)
        elif (contact := own or holder) is None:
            _create(made, register, row)
        else:
            _merge(made, register, contact, row)
    return made


def _create(made: Plan, register: _Register, row: Row) -> None:
    contact = Standing(new_id(), {**_BLANK, **row.values, "attributes": dict(row.attributes)}, is_new=True)
    made.contacts.append(contact)
    made.created += 1
    register.enter(contact)


def _merge(made: Plan, register: _Register, contact: Standing, row: Row) -> None:
    merged = contact.merged(row)
    if merged == contact.values:
        made.unchanged += 1
        return
    if not contact.changed and not contact.is_new:
        made.contacts.append(contact)
    contact.changed = True
    made.updated += 1
    register.change(contact, merged)


_BLANK: Mapping[str, Any] = {
    "external_id": None,
    "first_name": "",
    "last_name": "",
    "company": "",
    "kind": "lead",
    "timezone": None,
}


def _refusal(row: Row, own: Standing | None, holder: Standing | None) -> RowNote | None:
    if own is not None and holder is not None and holder is not own:
        return note(row.line, "email", "another contact has this address", row.email)
    if own is None and holder is not None and row.external_id is not None:
        held = holder.values["external_id"]
        if held is not None:
            reason = f"the contact with this address has the external id {held!r}"
            return note(row.line, "external_id", reason, row.external_id)
    return None
