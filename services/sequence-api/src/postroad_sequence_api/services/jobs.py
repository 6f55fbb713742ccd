"""Jobs as their tenant sees them: listed, followed, cancelled, and their reports."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal
from uuid import UUID

import orjson
from asyncpg import Record

from postroad_common.db import queries
from postroad_common.ids import new_id
from postroad_common.problems import Problem
from postroad_sequence_api.auth import Caller, Role
from postroad_sequence_api.context import Desk, Work
from postroad_sequence_api.errors import ConflictError, IllegalTransitionError, NotFoundError
from postroad_sequence_api.formulas import harmless
from postroad_sequence_api.jobs import named
from postroad_sequence_api.jobs.kinds import KINDS
from postroad_sequence_api.jobs.report import Report, Row
from postroad_sequence_api.models.base import Page, page_of
from postroad_sequence_api.models.jobs import Job, JobError, JobKind, JobPick, JobProgress
from postroad_sequence_api.webhooks.happenings import job_ended

_SQL: Final = queries("postroad_sequence_api", "jobs")
ENDED: Final = frozenset({"completed", "failed", "cancelled"})
MOST_OPEN: Final = 20
"""Jobs of a tenant that have not ended."""
_REPORT_CHUNKS: Final = 4
_LOOK_SECONDS: Final = 0.5
_HEARTBEAT_SECONDS: Final = 15.0


async def require_room(work: Work) -> None:
    """Raises Problem 429 while the tenant has too many jobs that have not ended."""
    if await work.value(_SQL.count_open) >= MOST_OPEN:
        said = f"{MOST_OPEN} jobs have not ended; wait for one, or cancel one."
        raise Problem(
            429, "too_many_jobs", "Too many jobs at once", said, headers={"Retry-After": "10"}, limit=MOST_OPEN
        )


async def queue(
    work: Work,
    kind: JobKind,
    params: Mapping[str, Any],
    total: int | None,
    created_by: UUID,
    *,
    contact_ids: Sequence[UUID] = (),
) -> Job:
    """A job that needs no file, durable and begun when the work commits. contact_ids are kept as its input."""
    await require_room(work)
    job_id = new_id()
    await work.do(_SQL.queue, job_id, kind, params, total, created_by)
    if contact_ids:
        await work.do(_SQL.keep_input, job_id, named.packed(contact_ids))
    work.queued = True
    return await get(work, job_id)


async def get(work: Work, job_id: UUID) -> Job:
    """A job."""
    row = await work.find(_SQL.jobs, job_id, None, None, None, 1)
    if row is None:
        raise NotFoundError("job")
    return _job(row)


async def listed(work: Work, pick: JobPick) -> Page[Job]:
    """Jobs, newest first."""
    rows = await work.all(_SQL.jobs, None, pick.after, pick.kind, pick.state, pick.limit + 1)
    return page_of((_job(row) for row in rows), pick.limit)


async def cancel(work: Work, job_id: UUID) -> Job:
    """End it: at once if it waits, else after the chunk in hand. What it has done stays done."""
    asked = await work.find(_SQL.cancel, job_id)
    if asked is None:
        standing = await get(work, job_id)
        if standing.state != "cancelled":
            raise IllegalTransitionError("job", standing.state, "cancel")
    elif asked["state"] == "cancelled":
        await work.tell(job_ended(work.tenant_id, dict(asked)))
    return await get(work, job_id)


async def followed(desk: Desk, job_id: UUID, stopping: asyncio.Event) -> AsyncIterator[Job | None]:
    """The job whenever it has changed, until it has ended or the process ends; None now and then when it has not."""
    said: Job | None = None
    quiet = 0.0
    while True:
        async with desk.work() as work:
            job = await get(work, job_id)
        if job != said or quiet >= _HEARTBEAT_SECONDS:
            yield job if job != said else None
            said, quiet = job, 0.0
        if job.state in ENDED or stopping.is_set():
            return
        try:
            await asyncio.wait_for(stopping.wait(), _LOOK_SECONDS)
        except TimeoutError:
            quiet += _LOOK_SECONDS


def as_event(job: Job | None) -> bytes:
    """A job as a server-sent event whose id grows with it; None as a comment that keeps the connection open."""
    if job is None:
        return b": nothing new\n\n"
    ended = job.state in ENDED
    id_ = f"{job.progress.done}{'.' + job.state if ended else ''}"
    return (
        f"id: {id_}\nevent: {'ended' if ended else 'progress'}\nretry: 2000\ndata: {job.model_dump_json()}\n\n".encode()
    )


Form = Literal["csv", "ndjson"]
MEDIA_TYPES: Final[dict[Form, str]] = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}


def form_of(accept: str) -> Form:
    """What a client wants: CSV, unless it asks for NDJSON."""
    wanted = {kind.partition(";")[0].strip().lower() for kind in accept.split(",")}
    return "ndjson" if wanted & {"application/x-ndjson", "application/jsonl", "application/ndjson"} else "csv"


async def report(desk: Desk, caller: Caller, job_id: UUID, form: Form) -> AsyncIterator[bytes]:
    """The report in parts, so far as it is written now. Raises before the first part if there is none."""
    async with desk.work() as work:
        job = await work.find(_SQL.report_form, job_id)
    if job is None:
        raise NotFoundError("job")
    kind = KINDS[job["kind"]]
    if kind.report_scope is not None:
        caller.require(Role.viewer, kind.report_scope)
    if job["report_deleted_at"] is not None:
        raise ConflictError("report_deleted", "The report was kept for its time and is deleted.")
    return _report_parts(desk, job_id, job["chunks"], _FORMS[form](kind.report_of(job["params"], job["position"])))


async def _report_parts(desk: Desk, job_id: UUID, last: int, write: "_Write") -> AsyncIterator[bytes]:
    after = -1
    yield write(None)
    while True:
        async with desk.work() as work:
            chunks = await work.all(_SQL.report_rows, job_id, after, last, _REPORT_CHUNKS)
        if not chunks:
            return
        yield write(row for chunk in chunks for row in chunk["rows"])
        after = chunks[-1]["number"]


_Write = Callable[[Iterable[Row] | None], bytes]
"""Writes rows; None: what stands before the first."""


def _as_csv(report: Report) -> _Write:
    def write(rows: Iterable[Row] | None) -> bytes:
        text = io.StringIO(newline="")
        if rows is None:
            # Whoever guesses the delimiter looks at the header: what is in quotes does not count.
            csv.writer(text, quoting=csv.QUOTE_ALL).writerow(map(_cell, report.columns))
        else:
            csv.writer(text).writerows([_cell(cell) for cell in report.cells(row)] for row in rows)
        return text.getvalue().encode()

    return write


def _as_ndjson(report: Report) -> _Write:
    def write(rows: Iterable[Row] | None) -> bytes:
        return b"".join(orjson.dumps(report.record(row)) + b"\n" for row in rows or ())

    return write


def _cell(value: object) -> object:
    """As a cell of CSV: no formula, and a flag as JSON has it."""
    match value:
        case str():
            return harmless(value)
        case bool():
            return "true" if value else "false"
        case _:
            return value


_FORMS: Final[dict[Form, Callable[[Report], _Write]]] = {"csv": _as_csv, "ndjson": _as_ndjson}


def _job(row: Record) -> Job:
    failed = row["error_code"] is not None
    return Job.of(
        row,
        progress=JobProgress(done=row["done"], total=row["total"], unit=KINDS[row["kind"]].unit_of(row["params"])),
        error=JobError(code=row["error_code"], detail=row["error_detail"]) if failed else None,
    )
