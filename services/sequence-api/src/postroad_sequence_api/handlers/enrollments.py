"""/v1/enrollments and /v1/sequences/{id}/enrollments."""

from aiohttp import web

from postroad_sequence_api.http import answer, desk_of, path_id, read_body, read_query
from postroad_sequence_api.models.enrollments import EnrollmentPick, EnrollmentStopped, EnrollNew
from postroad_sequence_api.services import enrollments, explanations, stops, timelines


async def enroll(request: web.Request) -> web.Response:
    """Enroll contacts in a sequence."""
    sequence_id, new = path_id(request, "sequence"), await read_body(request, EnrollNew)
    return answer(await enrollments.enroll(desk_of(request), sequence_id, new))


async def listed(request: web.Request) -> web.Response:
    """List enrollments."""
    pick = read_query(request, EnrollmentPick)
    async with desk_of(request).work() as work:
        return answer(await enrollments.listed(work, pick))


async def get(request: web.Request) -> web.Response:
    """Show an enrollment."""
    enrollment_id = path_id(request, "enrollment")
    async with desk_of(request).work() as work:
        return answer(await enrollments.get(work, enrollment_id))


async def pause(request: web.Request) -> web.Response:
    """Pause an enrollment; answered when it holds."""
    desk, enrollment_id = desk_of(request), path_id(request, "enrollment")
    stop = await stops.carry_out(desk, lambda work: enrollments.pause(work, enrollment_id))
    async with desk.work() as work:
        return answer(EnrollmentStopped.of(vars(await enrollments.get(work, enrollment_id)), stop=stop))


async def resume(request: web.Request) -> web.Response:
    """Resume an enrollment."""
    enrollment_id = path_id(request, "enrollment")
    async with desk_of(request).work() as work:
        return answer(await enrollments.resume(work, enrollment_id))


async def stop(request: web.Request) -> web.Response:
    """Stop an enrollment for good; answered when it holds."""
    desk, enrollment_id = desk_of(request), path_id(request, "enrollment")
    held = await stops.carry_out(desk, lambda work: enrollments.stop(work, enrollment_id))
    async with desk.work() as work:
        return answer(EnrollmentStopped.of(vars(await enrollments.get(work, enrollment_id)), stop=held))


async def explain(request: web.Request) -> web.Response:
    """Say what happens next to an enrollment, and why."""
    enrollment_id = path_id(request, "enrollment")
    async with desk_of(request).work() as work:
        return answer(await explanations.explain(work, enrollment_id))


async def timeline(request: web.Request) -> web.Response:
    """Tell what happened to an enrollment."""
    enrollment_id = path_id(request, "enrollment")
    async with desk_of(request).work() as work:
        return answer(await timelines.of_enrollment(work, enrollment_id))
