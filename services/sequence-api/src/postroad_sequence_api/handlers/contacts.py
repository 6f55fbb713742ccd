"""/v1/contacts."""

from uuid import UUID

from aiohttp import web

from postroad_sequence_api.auth import Caller
from postroad_sequence_api.context import Desk, Work
from postroad_sequence_api.errors import UnsupportedMediaError
from postroad_sequence_api.http import decoding
from postroad_sequence_api.models.base import Page
from postroad_sequence_api.models.contacts import Contact, ContactChange, ContactNew, ContactPick
from postroad_sequence_api.models.jobs import ImportOptions, Job
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


async def import_(desk: Desk, caller: Caller, request: web.Request, query: ImportOptions) -> Job:
    """Import a CSV file: a job.

    The answer comes when the whole file is durable. Contacts are found by external_id, else by email, and merged; an
    empty cell says nothing. Rows that cannot go in are in the job's report, by line and reason.
    """
    if request.content_type != "text/csv":
        raise UnsupportedMediaError("text/csv")
    with decoding():
        return await imports.receive(desk, caller.api_key_id, query, request.content.iter_any())


async def timeline(work: Work, contact_id: UUID) -> Timeline:
    """Tell what happened to a contact."""
    return await timelines.of_contact(work, contact_id)
