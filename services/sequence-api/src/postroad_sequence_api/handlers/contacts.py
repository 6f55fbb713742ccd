"""/v1/contacts."""

from uuid import UUID

from aiohttp import web

from postroad_sequence_api.auth import Caller
from postroad_sequence_api.context import Desk, Last, Work
from postroad_sequence_api.handlers import external_ids
from postroad_sequence_api.http import reading_csv
from postroad_sequence_api.models.base import Page
from postroad_sequence_api.models.contacts import (
    Contact,
    ContactBatch,
    ContactBatchDone,
    ContactChange,
    ContactCount,
    ContactDetail,
    ContactExport,
    ContactNew,
    ContactPick,
    ContactSelection,
    ContactsErase,
    ContactUpsert,
    ContactUpserted,
)
from postroad_sequence_api.models.jobs import ImportOptions, Job
from postroad_sequence_api.models.timelines import Timeline
from postroad_sequence_api.services import contacts, erasures, exports, imports, timelines, upserts

_EVERYTHING = ContactExport()


async def create(work: Work, body: ContactNew) -> Contact:
    """Add a contact."""
    return await contacts.create(work, body)


async def list_(work: Work, query: ContactPick) -> Page[Contact]:
    """List contacts, oldest first: all, or those that meet a filter, a search and what else is said."""
    return await contacts.listed(work, query)


async def count(work: Work, query: ContactSelection) -> ContactCount:
    """Count contacts, up to 10,000."""
    return await contacts.count(work, query)


async def put(work: Work, external_id: str, body: ContactUpsert) -> ContactUpserted:
    """Add the contact with this external id, or change it."""
    return await upserts.put(work, external_ids.checked(external_id), body)


async def batch(work: Work, body: ContactBatch) -> ContactBatchDone:
    """Add or change up to 1,000 contacts, each with its own result."""
    return await upserts.run_batch(work, body.contacts)


async def get(work: Work, contact_id: UUID) -> ContactDetail:
    """Show a contact with its account, what it did, and what is against its address."""
    return await contacts.get(work, contact_id)


async def change(work: Work, contact_id: UUID, body: ContactChange) -> Contact:
    """Change a contact."""
    return await contacts.change(work, contact_id, body)


async def delete(work: Work, contact_id: UUID) -> None:
    """Delete a contact that was never enrolled."""
    await contacts.delete(work, contact_id)


async def import_(desk: Desk, caller: Caller, request: web.Request, query: ImportOptions) -> Last[Job]:
    """Import a CSV file: a job.

    The answer comes when the whole file is durable. Contacts are found by external_id, else by email, and merged; an
    empty cell says nothing. Rows that cannot go in are in the job's report, by line and reason.
    """
    with reading_csv(request) as body:
        return await imports.receive(desk, caller.api_key_id, query, body)


async def export(work: Work, caller: Caller, body: ContactExport = _EVERYTHING) -> Job:
    """Export contacts: a job, whose report is the file.

    CSV, or NDJSON for those who accept application/x-ndjson. An import makes the same contacts of the CSV.
    """
    return await exports.export(work, caller.api_key_id, body)


async def erase(work: Work, caller: Caller, contact_id: UUID) -> Job:
    """Erase a contact (GDPR Art. 17): a job.

    What is sent to them is stopped, and what names them is deleted everywhere but in suppressions: docs/erasure.md. It
    cannot be undone. The job is completed when every service has done so.
    """
    return await erasures.erase(work, caller.api_key_id, contact_id)


async def erase_many(work: Work, caller: Caller, body: ContactsErase) -> Job:
    """Erase up to 1,000 contacts: a job, as for one.

    Its report tells of each: erased, already_erased or unknown.
    """
    return await erasures.erase_many(work, caller.api_key_id, body.contact_ids)


async def timeline(work: Work, contact_id: UUID) -> Timeline:
    """Tell what happened to a contact."""
    return await timelines.of_contact(work, contact_id)
