"""Contacts, one at a time and by what is said of them; files of them are in imports."""

from typing import Final
from uuid import UUID

from postroad_common.db import queries
from postroad_common.ids import new_id
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import ConflictError, NotFoundError
from postroad_sequence_api.filtering.tree import Comparison, Field, Node
from postroad_sequence_api.models.base import Page
from postroad_sequence_api.models.contacts import (
    Contact,
    ContactChange,
    ContactCount,
    ContactDetail,
    ContactNew,
    ContactPick,
    ContactSelection,
    Engagement,
)
from postroad_sequence_api.services import accounts, attributes, selection

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
MOST_COUNTED: Final = 10_000


async def create(work: Work, new: ContactNew) -> Contact:
    """A contact; its address and external id are not another's."""
    values = new.model_dump() | {"attributes": await attributes.checked(work, "contact", new.attributes)}
    await _check_account(work, new.account_id)
    row = await work.one(_SQL.insert_contact, new_id(), *(values[c] for c in _COLUMNS))
    return Contact.of(row)


async def get(work: Work, contact_id: UUID) -> ContactDetail:
    """A contact with its account, what it did, and what is against its address."""
    row = await work.find(_SQL.contact_detail, contact_id)
    if row is None:
        raise NotFoundError("contact")
    return ContactDetail.of(row, engagement=Engagement.of(row))


async def listed(work: Work, pick: ContactPick) -> Page[Contact]:
    """The contacts that are meant, oldest first."""
    meant = await _selected(work, pick)
    ids = await selection.contact_ids(work, meant, after=pick.after, limit=pick.limit + 1, patience=selection.PATIENCE)
    shown = ids[: pick.limit]
    items = tuple(Contact.of(row) for row in await work.all(_SQL.contacts_by_id, shown))
    # By the ids that were found: one that is deleted by now is no sign that there is no more.
    return Page(items=items, next=str(shown[-1]) if len(ids) > pick.limit else None)


async def count(work: Work, pick: ContactSelection) -> ContactCount:
    """How many contacts are meant, up to 10,000."""
    meant = await _selected(work, pick)
    ids = await selection.contact_ids(work, meant, after=None, limit=MOST_COUNTED + 1, patience=selection.PATIENCE)
    return ContactCount(count=min(len(ids), MOST_COUNTED), exact=len(ids) <= MOST_COUNTED)


async def change(work: Work, contact_id: UUID, wanted: ContactChange) -> Contact:
    """Change what is named, keep the rest."""
    standing = await work.find(_SQL.lock_contact, contact_id)
    if standing is None:
        raise NotFoundError("contact")
    work.match(standing["revision"])
    values = {**standing, **wanted.model_dump(exclude_unset=True)}
    if "attributes" in wanted.model_fields_set:
        values["attributes"] = await attributes.checked(work, "contact", wanted.attributes)
    if "account_id" in wanted.model_fields_set:
        await _check_account(work, wanted.account_id)
    row = await work.one(_SQL.update_contact, contact_id, *(values[c] for c in _COLUMNS))
    return Contact.of(row)


async def delete(work: Work, contact_id: UUID) -> None:
    """Delete a contact that was never enrolled; the history of the others stays."""
    standing = await work.find(_SQL.lock_contact, contact_id)
    if standing is None:
        raise NotFoundError("contact")
    work.match(standing["revision"])
    enrolled = await work.value(_SQL.count_enrollments_of_contact, contact_id)
    if enrolled:
        raise ConflictError(
            "enrolled", f"The contact has {enrolled} enrollments, which are its history.", count=enrolled
        )
    await work.value(_SQL.delete_contact, contact_id)


async def _check_account(work: Work, account_id: UUID | None) -> None:
    if account_id is not None and await accounts.unknown(work, [account_id]):
        raise NotFoundError("account", field="account_id")


async def _selected(work: Work, pick: ContactSelection) -> selection.Selection:
    said = {
        "email": pick.email,
        "external_id": pick.external_id,
        "kind": pick.kind,
        "account.id": None if pick.account_id is None else str(pick.account_id),
    }
    also: list[Node] = [Comparison(Field(name), "=", (value,)) for name, value in said.items() if value is not None]
    return await selection.select(work, pick.filter, q=pick.q, also=also)
