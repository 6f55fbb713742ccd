"""Erasures of contacts: what is asked for, before a job does the rest."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from postroad_common.db import queries
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import NotFoundError
from postroad_sequence_api.models.jobs import Job
from postroad_sequence_api.services import jobs

_SQL: Final = queries("postroad_sequence_api", "erasures")


async def erase(work: Work, created_by: UUID, contact_id: UUID) -> Job:
    """Queue the erasure of a contact, also of one that was erased before. Raises NotFoundError."""
    if not await work.value(_SQL.known, contact_id):
        raise NotFoundError("contact")
    return await erase_many(work, created_by, (contact_id,))


async def erase_many(work: Work, created_by: UUID, contact_ids: Sequence[UUID]) -> Job:
    """Queue the erasure of contacts, each once."""
    ids = tuple(dict.fromkeys(contact_ids))
    return await jobs.queue(work, "erase", {"contacts": len(ids)}, len(ids), created_by, contact_ids=ids)
