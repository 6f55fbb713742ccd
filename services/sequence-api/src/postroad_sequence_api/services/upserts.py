"""Upserts: contacts that are added, or changed where they are there; many at once, each with its own result.

A contact is found by the external id, else by the address. One whose address is there without an external id takes the
item's. What an item does not name stays; attributes are merged one by one.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from asyncpg import UniqueViolationError
from pydantic import ValidationError

from postroad_common.db import queries
from postroad_common.errors import words_of
from postroad_common.ids import new_id
from postroad_sequence_api.attributes import MisfitError, fitted
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import ConflictError, InvalidFieldError
from postroad_sequence_api.models.contacts import (
    MOST_ATTRIBUTES,
    ContactBatchDone,
    ContactBatchItem,
    ContactBatchResult,
    ContactUpsert,
    ContactUpserted,
)
from postroad_sequence_api.services import accounts, attributes

_SQL: Final = queries("postroad_sequence_api", "contacts")
_COLUMNS: Final = (
    "email",
    "external_id",
    "first_name",
    "last_name",
    "company",
    "kind",
    "timezone",
    "account_id",
    "attributes",
)
_BLANK: Final[Mapping[str, Any]] = {
    "external_id": None,
    "first_name": "",
    "last_name": "",
    "company": "",
    "kind": "lead",
    "timezone": None,
    "account_id": None,
    "attributes": {},
}
_ROUNDS: Final = 5


@dataclass(slots=True)
class Item:
    """What is wanted of one contact: the fields that are named."""

    number: int
    values: dict[str, Any]

    @property
    def email(self) -> str | None:
        """The address, if it is named."""
        return self.values.get("email")

    @property
    def external_id(self) -> str | None:
        """The tenant's own id, if it is named."""
        return self.values.get("external_id")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an item does not go in. conflict: for what other contacts are, not for what it says."""

    field: str
    reason: str
    conflict: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A contact as it is to be. is_new: it is not there yet; same: nothing about it changes."""

    contact_id: UUID
    values: Mapping[str, Any]
    is_new: bool = False
    same: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """The contacts that items may be about, by what they are found by."""

    by_external_id: Mapping[str, Mapping[str, Any]]
    by_email: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> "Standing":
        """Rows in which no external id and no address is there twice."""
        listed = list(rows)
        return cls({row["external_id"]: row for row in listed}, {row["email"]: row for row in listed})


@dataclass(slots=True)
class _Batch:
    """The items that are not settled yet, by number, and what became of the others."""

    pending: dict[int, Item]
    rows: dict[int, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    refused: dict[int, Refusal] = field(default_factory=dict)

    def settle(self, number: int, result: str, row: Mapping[str, Any]) -> None:
        self.rows[number] = result, row
        del self.pending[number]

    def refuse(self, number: int, refusal: Refusal) -> None:
        self.refused[number] = refusal
        del self.pending[number]


async def put(work: Work, external_id: str, wanted: ContactUpsert) -> ContactUpserted:
    """The contact with this external id, added or changed. Raises InvalidFieldError, ConflictError."""
    values = wanted.model_dump(exclude_unset=True)
    if values.get("external_id", external_id) != external_id:
        raise InvalidFieldError("external_id", "is another one than the path names")
    batch = _Batch({0: Item(0, values | {"external_id": external_id})})
    await _run(work, batch)
    if (refusal := batch.refused.get(0)) is not None:
        if refusal.conflict:
            raise ConflictError("taken", refusal.reason, field=refusal.field)
        raise InvalidFieldError(refusal.field, refusal.reason)
    result, row = batch.rows[0]
    return ContactUpserted.of(row, created=result == "created")


async def run_batch(work: Work, raw_items: Sequence[Any]) -> ContactBatchDone:
    """Each item by itself: those that are refused do not hold up the others."""
    batch = _Batch({})
    for number, raw in enumerate(raw_items):
        match _read(number, raw):
            case Item() as item:
                batch.pending[number] = item
            case Refusal() as refusal:
                batch.refused[number] = refusal
    await _run(work, batch)
    results = tuple(_result(batch, number) for number in range(len(raw_items)))
    counts = {name: sum(r.result == name for r in results) for name in ("created", "updated", "unchanged", "rejected")}
    return ContactBatchDone(**counts, results=results)


def _read(number: int, raw: Any) -> Item | Refusal:
    try:
        found = ContactBatchItem.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        named = ".".join(str(part) for part in first["loc"]) or "contact"
        return Refusal(named, words_of(first))
    except ValueError as error:  # a number of more digits than Python writes
        return Refusal("contact", str(error))
    values = found.model_dump(exclude_unset=True)
    if not values.get("email") and not values.get("external_id"):
        return Refusal("external_id", "the contact needs an external_id or an email to be found by")
    return Item(number, values)


async def _run(work: Work, batch: _Batch) -> None:
    await _check(work, batch)
    for number, refusal in repeated(batch.pending.values()).items():
        batch.refuse(number, refusal)
    for _ in range(_ROUNDS):
        if not batch.pending:
            return
        await _round(work, batch)
    for number in list(batch.pending):
        said = "others changed the contact all the while; send it again"
        batch.refuse(number, Refusal("email", said, conflict=True))


async def _check(work: Work, batch: _Batch) -> None:
    """What only the tenant's data can refuse: types of attributes, accounts."""
    types = await attributes.types(work, "contact")
    no_accounts = await accounts.unknown(
        work, (item.values["account_id"] for item in batch.pending.values() if item.values.get("account_id"))
    )
    for item in list(batch.pending.values()):
        try:
            if "attributes" in item.values:
                item.values["attributes"] = fitted(types, item.values["attributes"])
        except MisfitError as error:
            batch.refuse(item.number, Refusal(f"attributes.{error.name}", error.reason))
            continue
        if item.values.get("account_id") in no_accounts:
            batch.refuse(item.number, Refusal("account_id", "there is no such account"))


def repeated(items: Iterable[Item]) -> dict[int, Refusal]:
    """Items that name the external id or the address of an earlier one: which of them should win?"""
    seen: dict[tuple[str, str], int] = {}
    found: dict[int, Refusal] = {}
    for item in items:
        for name, value in (("external_id", item.external_id), ("email", item.email)):
            if value is not None and item.number not in found:
                first = seen.setdefault((name, value), item.number)
                if first != item.number:
                    found[item.number] = Refusal(name, f"repeats item {first}")
    return found


async def _round(work: Work, batch: _Batch) -> None:
    """Settle what can be settled now. What somebody else was quicker with stays for the next round."""
    items = list(batch.pending.values())
    named = [item.external_id for item in items if item.external_id is not None]
    addresses = [item.email for item in items if item.email is not None]
    rows = [dict(row) for row in await work.all(_SQL.lock_upserted, named, addresses)]
    standing, by_id = Standing.of(rows), {row["id"]: row for row in rows}
    changes: dict[UUID, tuple[int, Change]] = {}
    for item in items:
        match decide(item, standing):
            case Refusal() as refusal:
                batch.refuse(item.number, refusal)
            case Change(contact_id=contact_id) if contact_id in changes:
                continue  # an earlier item changes the same contact: this one sees what it leaves
            case Change(same=True, contact_id=contact_id):
                batch.settle(item.number, "unchanged", by_id[contact_id])
            case Change() as change:
                changes[change.contact_id] = item.number, change
    new = [change for _, change in changes.values() if change.is_new]
    for row in await work.all(_SQL.insert_upserted, *_columns(new)) if new else ():
        batch.settle(changes[row["id"]][0], "created", dict(row))
    try:
        async with work.savepoint():
            old = [change for _, change in changes.values() if not change.is_new]
            updated = await work.all(_SQL.update_upserted, *_columns(old)) if old else []
    except UniqueViolationError:
        return  # an address that was free is taken: the next round sees whose it is
    for row in updated:
        batch.settle(changes[row["id"]][0], "updated", dict(row))


def decide(item: Item, standing: Standing) -> Change | Refusal:
    """What an item does, given the contacts that have its external id or its address."""
    own = standing.by_external_id.get(item.external_id) if item.external_id else None
    holder = standing.by_email.get(item.email) if item.email else None
    if own is not None and holder is not None and holder["id"] != own["id"]:
        return Refusal("email", "another contact has this address", conflict=True)
    if own is None and holder is not None and item.external_id and holder["external_id"] is not None:
        said = f"the contact with this address has the external id {holder['external_id']!r}"
        return Refusal("external_id", said, conflict=True)
    found = own or holder
    if found is None:
        if not item.email:
            return Refusal("email", "a new contact needs an address")
        return Change(new_id(), {**_BLANK, **item.values}, is_new=True)
    stands = {name: found[name] for name in _COLUMNS}
    merged = {**stands, **item.values, "attributes": {**stands["attributes"], **item.values.get("attributes", {})}}
    if len(merged["attributes"]) > MOST_ATTRIBUTES:
        return Refusal("attributes", f"the contact would have more than {MOST_ATTRIBUTES}")
    return Change(found["id"], merged, same=merged == stands)


def _columns(changes: Sequence[Change]) -> list[list[Any]]:
    ids: list[Any] = [change.contact_id for change in changes]
    return [ids, *([change.values[name] for change in changes] for name in _COLUMNS)]


def _result(batch: _Batch, number: int) -> ContactBatchResult:
    if (refusal := batch.refused.get(number)) is not None:
        return ContactBatchResult(result="rejected", field=refusal.field, reason=refusal.reason)
    result, row = batch.rows[number]
    return ContactBatchResult.model_validate({"result": result, "contact_id": row["id"]})
