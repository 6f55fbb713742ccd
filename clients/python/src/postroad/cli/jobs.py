"""`postroad jobs`: what takes longer than a request, followed to its end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

import typer

from postroad.cli.progress import Bars, bars
from postroad.cli.session import PAGE, JsonFlag, as_tenant, print_json
from postroad.cli.words import errors, moment, output, plain, table
from postroad.client import AsyncClient
from postroad.errors import InputError, UnreachableError
from postroad.models import Job, JobKind, JobState

app = typer.Typer(help="Imports and other work that takes a while.", no_args_is_help=True)

JobId = Annotated[UUID, typer.Argument(metavar="JOB", show_default=False, help="Its id.")]

_SHOWN = 50
_PAUSE_SECONDS = 2.0


@app.callback()
def group() -> None:
    """Imports and other work that takes a while."""


@app.command("list")
def list_(
    *,
    kind: JobKind | None = None,
    state: JobState | None = None,
    as_json: JsonFlag = False,
) -> None:
    """Jobs, newest first."""

    async def work(client: AsyncClient) -> None:
        found = [job async for job in client.jobs.list(kind=kind, state=state, limit=PAGE)]
        if as_json:
            print_json(*found, as_list=True)
            return
        shown = table("job", "kind", "state", "begun", "done", numbers=("done",))
        for job in found:
            shown.add_row(str(job.id), job.kind, job.state, moment(job.started_at), plain(_done(job)))
        output.print(shown)

    as_tenant(work)


@app.command("show")
def show(job_id: JobId, *, as_json: JsonFlag = False) -> None:
    """How far a job is, and what came of it so far."""

    async def work(client: AsyncClient) -> None:
        job = await client.jobs.get(job_id)
        if as_json:
            print_json(job)
        else:
            output.print(plain(sentence(job)))

    as_tenant(work)


@app.command("watch")
def watch(job_id: JobId) -> None:
    """Follow a job to its end."""

    async def work(client: AsyncClient) -> None:
        with bars() as shown:
            job = await follow(client, await client.jobs.get(job_id), shown)
        output.print(plain(sentence(job)))

    as_tenant(work)


@app.command("cancel")
def cancel(job_id: JobId) -> None:
    """End a job; what it has done stays done."""

    async def work(client: AsyncClient) -> None:
        output.print(plain(sentence(await client.jobs.cancel(job_id))))

    as_tenant(work)


@app.command("report")
def report(job_id: JobId) -> None:
    """Write a job's report to standard output, as CSV."""

    async def work(client: AsyncClient) -> None:
        async for part in client.jobs.report_csv(job_id):
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()

    as_tenant(work)


async def follow(client: AsyncClient, job: Job, shown: Bars) -> Job:
    """The job when it has ended; a connection that is lost meanwhile is waited for."""
    bar = shown.bar(job.kind, unit=job.progress.unit, total=job.progress.total)

    def look(now: Job) -> None:
        bar.reach(now.progress.done, total=now.progress.total, note=_counted(now.counts))

    while True:
        try:
            return await client.wait_for_job(job.id, on_change=look)
        except UnreachableError as error:
            errors.print(plain(f"postroad: {error} The job goes on; looking again."), soft_wrap=True)
            await asyncio.sleep(_PAUSE_SECONDS)


async def show_import(client: AsyncClient, job: Job) -> None:
    """What came of an import: the counts, and the first of its remarks. Raises InputError if it did not complete."""
    counts = ", ".join(f"{job.counts.get(name, 0)} {name}" for name in ("created", "updated", "unchanged", "rejected"))
    output.print(plain(f"{job.counts.get('rows', 0)} rows: {counts}."))
    count = job.counts.get("rejected", 0) + job.counts.get("warnings", 0)
    if count:
        await _show_report(client, job, count)
    if job.state != "completed":
        raise InputError(sentence(job))


async def _show_report(client: AsyncClient, job: Job, count: int) -> None:
    shown = table("line", "", "field", "why", "value", numbers=("line",))
    rows = 0
    async with client.jobs.report(job.id) as report:
        async for row in report:
            shown.add_row(*(plain(_cell(row, name)) for name in ("line", "result", "field", "reason", "value")))
            rows += 1
            if rows == _SHOWN:
                break
    output.print(shown)
    more = f"... and {count - rows} more. " if count > rows else ""
    output.print(plain(f"{more}The whole report: postroad jobs report {job.id} > report.csv"), soft_wrap=True)


def _cell(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value)


def sentence(job: Job) -> str:
    """One line that says where a job is."""
    why = f" {job.error.detail}" if job.error is not None else ""
    counts = _counted(job.counts)
    return f"{job.kind} {job.id}: {job.state}, {_done(job)}{f' ({counts})' if counts else ''}.{why}"


def _done(job: Job) -> str:
    progress = job.progress
    of = "" if progress.total is None else f" of {progress.total:,}"
    return f"{progress.done:,}{of} {progress.unit}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count)
