"""Exports of contacts: what is asked for, before a job does the rest."""

from uuid import UUID

from postroad_sequence_api.context import Work
from postroad_sequence_api.jobs import audience
from postroad_sequence_api.models.contacts import ContactExport
from postroad_sequence_api.models.jobs import Job
from postroad_sequence_api.services import jobs


async def export(work: Work, created_by: UUID, wanted: ContactExport) -> Job:
    """Queue the export of contacts; a column that is named twice is there once. Raises InvalidFilterError."""
    found = await audience.choose(work, wanted.filter)
    columns = None if wanted.columns is None else list(dict.fromkeys(wanted.columns))
    return await jobs.queue(work, "export", {**found.params, "columns": columns}, found.total, created_by)
