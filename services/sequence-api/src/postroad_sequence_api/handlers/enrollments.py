"""/v1/enrollments and /v1/sequences/{sequence_id}/enrollments."""

from uuid import UUID

from postroad_sequence_api.context import Desk, Work
from postroad_sequence_api.models.base import Page
from postroad_sequence_api.models.enrollments import (
    Enrolled,
    Enrollment,
    EnrollmentPick,
    EnrollmentStopped,
    EnrollNew,
)
from postroad_sequence_api.models.explanations import Explanation
from postroad_sequence_api.models.timelines import Timeline
from postroad_sequence_api.services import enrollments, explanations, stops, timelines


async def create(desk: Desk, sequence_id: UUID, body: EnrollNew) -> Enrolled:
    """Enroll contacts in a sequence."""
    return await enrollments.enroll(desk, sequence_id, body)


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
