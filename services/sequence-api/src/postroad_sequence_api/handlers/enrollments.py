"""/v1/enrollments and /v1/sequences/{sequence_id}/enrollments."""

from uuid import UUID

from aiohttp import web

from postroad_sequence_api.auth import Caller
from postroad_sequence_api.context import Desk, Last, Work
from postroad_sequence_api.http import reading_csv
from postroad_sequence_api.models.base import Page
from postroad_sequence_api.models.enrollments import (
    Enrolled,
    EnrollMany,
    Enrollment,
    EnrollmentPick,
    EnrollmentStopped,
    EnrollNew,
)
from postroad_sequence_api.models.explanations import Explanation
from postroad_sequence_api.models.jobs import FileForm, Job
from postroad_sequence_api.models.timelines import Timeline
from postroad_sequence_api.services import bulk_enroll, enrollments, explanations, stops, timelines


async def create(work: Work, sequence_id: UUID, body: EnrollNew) -> Enrolled:
    """Enroll contacts in a sequence."""
    return await enrollments.enroll(work, sequence_id, body)


async def bulk(work: Work, caller: Caller, sequence_id: UUID, body: EnrollMany) -> Job:
    """Enroll many contacts in a sequence: a job.

    All there are, those whom a filter means, or up to 10,000 by id. Its report tells of each contact: enrolled,
    already_active, suppressed or unknown.
    """
    return await bulk_enroll.enroll_many(work, caller.api_key_id, sequence_id, body)


async def import_(desk: Desk, caller: Caller, request: web.Request, sequence_id: UUID, query: FileForm) -> Last[Job]:
    """Enroll the contacts of a CSV file in a sequence: a job.

    A row names a contact by contact_id, external_id or email, the first of these that it has. The report tells of each
    row: enrolled, already_active, suppressed, unknown, or invalid when it names nobody.
    """
    with reading_csv(request) as body:
        return await bulk_enroll.enroll_file(desk, caller.api_key_id, sequence_id, query, body)


async def list_(work: Work, query: EnrollmentPick) -> Page[Enrollment]:
    """List enrollments, oldest first."""
    return await enrollments.listed(work, query)


async def get(work: Work, enrollment_id: UUID) -> Enrollment:
    """Show an enrollment."""
    return await enrollments.get(work, enrollment_id)


async def pause(desk: Desk, enrollment_id: UUID) -> EnrollmentStopped:
    """Pause an enrollment; answered when it holds."""
    stop = await stops.carry_out(desk, lambda work: enrollments.pause(work, enrollment_id))
    async with desk.work() as work:
        return EnrollmentStopped.of(vars(await enrollments.get(work, enrollment_id)), stop=stop)


async def resume(work: Work, enrollment_id: UUID) -> Enrollment:
    """Resume an enrollment."""
    return await enrollments.resume(work, enrollment_id)


async def stop(desk: Desk, enrollment_id: UUID) -> EnrollmentStopped:
    """Stop an enrollment for good; answered when it holds."""
    held = await stops.carry_out(desk, lambda work: enrollments.stop(work, enrollment_id))
    async with desk.work() as work:
        return EnrollmentStopped.of(vars(await enrollments.get(work, enrollment_id)), stop=held)


async def explain(work: Work, enrollment_id: UUID) -> Explanation:
    """Say what happens next to an enrollment, and why."""
    return await explanations.explain(work, enrollment_id)


async def timeline(work: Work, enrollment_id: UUID) -> Timeline:
    """Tell what happened to an enrollment."""
    return await timelines.of_enrollment(work, enrollment_id)
