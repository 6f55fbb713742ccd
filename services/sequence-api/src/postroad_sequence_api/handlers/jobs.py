"""/v1/jobs."""

from uuid import UUID

from aiohttp import web

from postroad_sequence_api.auth import Caller
from postroad_sequence_api.compression import takes_gzip
from postroad_sequence_api.context import Context, Desk, Work
from postroad_sequence_api.models.base import Page
from postroad_sequence_api.models.jobs import Job, JobPick
from postroad_sequence_api.services import jobs


async def list_(work: Work, query: JobPick) -> Page[Job]:
    """List jobs, newest first."""
    return await jobs.listed(work, query)


async def get(work: Work, job_id: UUID) -> Job:
    """Show a job: how far it is, and what came of it so far."""
    return await jobs.get(work, job_id)


async def cancel(work: Work, job_id: UUID) -> Job:
    """Cancel a job.

    One in hand ends after its chunk; what it has done stays done.
    """
    return await jobs.cancel(work, job_id)


async def events(desk: Desk, context: Context, request: web.Request, job_id: UUID) -> web.StreamResponse:
    """Follow a job by server-sent events.

    Each has the job as its data: `progress`, and at its end `ended`, which is the last.
    """
    async with desk.work() as work:
        await jobs.get(work, job_id)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    async for job in jobs.followed(desk, job_id, context.stopping):
        await response.write(jobs.as_event(job))
    return response


async def report(desk: Desk, caller: Caller, request: web.Request, job_id: UUID) -> web.StreamResponse:
    """Download what a job has to say of its rows, so far; of an export, the contacts.

    CSV, in which no cell is a formula: a text that begins like one stands behind an apostrophe, which an import takes
    back. NDJSON for those who accept application/x-ndjson. The report of an export needs the scope contacts:read too.
    """
    form = jobs.form_of(request.headers.get("Accept", ""))
    parts = await jobs.report(desk, caller, job_id, form)
    response = web.StreamResponse(
        headers={
            "Content-Type": jobs.MEDIA_TYPES[form],
            "Content-Disposition": f'attachment; filename="{job_id}.{form}"',
            "Cache-Control": "no-store",
            "Vary": "Accept, Accept-Encoding",
        }
    )
    if takes_gzip(request.headers.get("Accept-Encoding", "")):
        response.enable_compression(web.ContentCoding.gzip)
    await response.prepare(request)
    async for part in parts:
        await response.write(part)
    return response
