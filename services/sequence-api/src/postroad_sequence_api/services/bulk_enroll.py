"""The enrollment of many: what must be so before a job does the rest."""

from collections.abc import AsyncIterable, Sequence
from typing import Any
from uuid import UUID

from postroad_sequence_api.context import Desk, Last, Work
from postroad_sequence_api.errors import InvalidFieldError
from postroad_sequence_api.jobs import audience
from postroad_sequence_api.jobs.bulk_enroll import REFERENCES, reference
from postroad_sequence_api.models.enrollments import EnrollMany
from postroad_sequence_api.models.jobs import FileForm, Job
from postroad_sequence_api.services import jobs, uploads
from postroad_sequence_api.services.enrollments import open_version


async def enroll_many(work: Work, created_by: UUID, sequence_id: UUID, chosen: EnrollMany) -> Job:
    """Queue the enrollment of the contacts chosen: those named, each once, or those that there are now.

    Raises NotFoundError, ConflictError for the sequence, InvalidFilterError.
    """
    await open_version(work, sequence_id)
    params = {"sequence_id": str(sequence_id)}
    if "contact_ids" in chosen.model_fields_set:
        ids = tuple(dict.fromkeys(chosen.contact_ids))
        return await jobs.queue(work, "enroll", params, len(ids), created_by, contact_ids=ids)
    found = await audience.choose(work, chosen.filter if "filter" in chosen.model_fields_set else None)
    return await jobs.queue(work, "enroll", {**params, **found.params}, found.total, created_by)


async def enroll_file(
    desk: Desk, created_by: UUID, sequence_id: UUID, form: FileForm, body: AsyncIterable[bytes]
) -> Last[Job]:
    """Store a file that names contacts, and queue their enrollment. Raises as enroll_many, and as uploads.receive."""
    async with desk.work() as work:
        await open_version(work, sequence_id)

    def params_of(header: Sequence[str]) -> dict[str, Any]:
        found = [name for cell in header if (name := reference(cell)) is not None]
        if not found:
            raise InvalidFieldError("header", f"must have a column named {' or '.join(REFERENCES)}")
        if len(found) > len(set(found)):
            raise InvalidFieldError("header", "has a column more than once")
        return {"sequence_id": str(sequence_id)}

    return await uploads.receive(desk, uploads.Wanted("enroll", created_by, params_of), form, body)
