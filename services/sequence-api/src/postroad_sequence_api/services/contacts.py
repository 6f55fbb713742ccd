"""Contacts, one at a time; files of them are in imports."""

from typing import Final
from uuid import UUID

from postroad_common.db import queries
from postroad_common.ids import new_id
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import ConflictError, NotFoundError
from postroad_sequence_api.models.base import Page, page_of
from postroad_sequence_api.models.contacts import Contact, ContactChange, ContactNew, ContactPick

_SQL: Final = queries("postroad_sequence_api", "contacts")
_COLUMNS: Final = (
    "email",
    "external_id",
    "first_name",
    "last_name",
    "company",
    "kind",
    "timezone",
    "attributes",
)


async def create(work: Work, new: ContactNew) -> Contact:
    """A contact; its address and external id are not another's."""
    values = new.model_dump()
    row = await work.one(_SQL.insert_contact, new_id(), *(values[c] for c in _COLUMNS))
    return Contact.of(row)


async def get(work: Work, contact_id: UUID) -> Contact:
    """A contact."""
    row = await work.find(_SQL.contact, contact_id)
    if row is None:
        raise NotFoundError("contact")
    return Contact.of(row)


async def listed(work: Work, pick: ContactPick) -> Page[Contact]:
    """Contacts, oldest first."""
    rows = await work.all(_SQL.list_contacts, pick.after, pick.email, pick.limit + 1)
    return page_of((Contact.of(row) for row in rows), pick.limit)


async def change(work: Work, contact_id: UUID, wanted: ContactChange) -> Contact:
    """Change what is named, keep the rest."""
    standing = await work.find(_SQL.lock_contact, contact_id)
    if standing is None:
        raise NotFoundError("contact")
    work.match(standing["revision"])
    values = {**standing, **wanted.model_dump(exclude_unset=True)}
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
