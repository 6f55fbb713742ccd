"""The enrollment of many: what must be so before a job does the rest."""

from collections.abc import AsyncIterable, Sequence
from typing import Any, Final
from uuid import UUID

from postroad_common.db import queries
from postroad_sequence_api.context import Desk, Last, Work
from postroad_sequence_api.errors import InvalidFieldError
from postroad_sequence_api.jobs.bulk_enroll import REFERENCES, reference
from postroad_sequence_api.models.enrollments import EnrollMany
from postroad_sequence_api.models.jobs import FileForm, Job
from postroad_sequence_api.services import jobs, uploads
from postroad_sequence_api.services.enrollments import open_version

_SQL: Final = queries("postroad_sequence_api", "enrollments")


async def enroll_many(work: Work, created_by: UUID, sequence_id: UUID, chosen: EnrollMany) -> Job:
    """Queue the enrollment of the contacts chosen, as they are now.

    Raises NotFoundError, ConflictError for the sequence.
    """
    await open_version(work, sequence_id)
    found = await work.one(_SQL.choose_contacts)
    params = {
        "sequence_id": str(sequence_id),
        **chosen.model_dump(mode="json"),
        "last": None if found["last"] is None else str(found["last"]),
    }
    job_id = await jobs.queue(work, "enroll", params, found["count"], created_by)
    return await jobs.get(work, job_id)


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
