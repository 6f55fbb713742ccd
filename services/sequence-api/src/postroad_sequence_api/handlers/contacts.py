"""/v1/contacts."""

from uuid import UUID

from aiohttp import web

from postroad_sequence_api.context import Desk, Work
from postroad_sequence_api.errors import UnsupportedMediaError
from postroad_sequence_api.http import decoding
from postroad_sequence_api.models.base import Page
from postroad_sequence_api.models.contacts import Contact, ContactChange, ContactNew, ContactPick, ImportReport
from postroad_sequence_api.models.timelines import Timeline
from postroad_sequence_api.services import contacts, imports, timelines


async def create(work: Work, body: ContactNew) -> Contact:
    """Add a contact."""
    return await contacts.create(work, body)


async def list_(work: Work, query: ContactPick) -> Page[Contact]:
    """List contacts, oldest first."""
    return await contacts.listed(work, query)


async def get(work: Work, contact_id: UUID) -> Contact:
    """Show a contact."""
    return await contacts.get(work, contact_id)


async def change(work: Work, contact_id: UUID, body: ContactChange) -> Contact:
    """Change a contact."""
    return await contacts.change(work, contact_id, body)


async def delete(work: Work, contact_id: UUID) -> None:
    """Delete a contact that was never enrolled."""
    await contacts.delete(work, contact_id)


async def import_(desk: Desk, request: web.Request) -> ImportReport:
    """Import a CSV file."""
    if request.content_type != "text/csv" or (request.charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        raise UnsupportedMediaError("text/csv in UTF-8")
    with decoding():
        return await imports.import_contacts(desk, request.content)


async def timeline(work: Work, contact_id: UUID) -> Timeline:
    """Tell what happened to a contact."""
    return await timelines.of_contact(work, contact_id)
