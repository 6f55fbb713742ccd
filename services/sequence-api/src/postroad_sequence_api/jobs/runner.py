"""Who does the jobs: claims one after another, from tenant to tenant, each for a while."""

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal
from uuid import UUID

import structlog

from postroad_common.db import RETRYABLE, queries, transaction
from postroad_common.faults import reach
from postroad_common.loops import is_outage
from postroad_common.problems import Problem
from postroad_sequence_api.context import Context
from postroad_sequence_api.jobs.claim import Claim, JobLostError
from postroad_sequence_api.jobs.report import Report
from postroad_sequence_api.metrics import JOBS_ENDED

_SQL: Final = queries("postroad_sequence_api", "jobs")
_FIRST: Final = UUID(int=0)
_MOST_CLAIMS: Final = 5
"""After so many claims that ended without a chunk, and without being given back, a job takes no more processes down."""

POLL: Final = timedelta(seconds=1)
"""For jobs that other processes have queued or left; those of this process wake a runner at once."""

_log = structlog.get_logger()

Unit = Literal["bytes", "contacts"]
Run = Callable[[Claim], AsyncGenerator[None, None]]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a job of a kind does: commits a chunk, yields, and ends when there is no more.

    unit_of says from the params what its progress counts; report_of, from the params and the position, what its
    report looks like. report_scope: what a key must hold to read that, besides jobs:read.
    """

    run: Run
    unit_of: Callable[[Mapping[str, Any]], Unit]
    report_of: Callable[[Mapping[str, Any], Mapping[str, Any]], Report]
    report_scope: str | None = None


class Runner:
    """Does jobs, one at a time. Any number may run, in any number of processes."""

    def __init__(self, context: Context, kinds: Mapping[str, Kind]) -> None:
        self._context = context
        self._kinds = kinds
        self._lease = timedelta(seconds=context.settings.job_lease_seconds)
        self._served = _FIRST

    async def run_some(self) -> bool:
        """Claim a job and do it until it ends, its time is over or the process stops; whether there was one."""
        claim = await self._claim()
        if claim is None:
            return False
        if __debug__:
            reach("job.claimed")
        with structlog.contextvars.bound_contextvars(job_id=str(claim.job_id), kind=claim.kind):
            try:
                await self._do(claim)
            except JobLostError:
                _log.warning("job lost: its lease was over")
            except Exception as error:
                if is_outage(error):
                    with suppress(*RETRYABLE):
                        await claim.give_back()
                    raise
                await self._fail(claim, error)
        return True

    async def _claim(self) -> Claim | None:
        """The job whose turn it is: of the tenant after the one last served."""
        pool = self._context.pool
        for after in (self._served, _FIRST):
            for found in await pool.fetch(_SQL.tenants_with_jobs, after, 10):
                self._served = found["tenant_id"]
                async with transaction(pool, self._served) as conn:
                    row = await conn.fetchrow(_SQL.claim, self._served, self._lease)
                if row is None:
                    continue
                claim = Claim.of(self._context, self._served, row)
                if row["claims"] <= _MOST_CLAIMS:
                    return claim
                await _finish(
                    claim, "failed", "gave_up", f"It was begun {_MOST_CLAIMS} times and never got any further."
                )
            if after == _FIRST:
                break
        return None

    async def _do(self, claim: Claim) -> None:
        if not claim.cancel_requested and await self._do_some(claim):
            await self._end(claim, "completed")
        elif claim.cancel_requested:
            await self._end(claim, "cancelled")
        else:
            await claim.give_back()

    async def _do_some(self, claim: Claim) -> bool:
        """Chunks, until the job's time is over, it rests, is cancelled or the process stops; whether that was all."""
        over_at = time.monotonic() + self._context.settings.job_slice_seconds
        async with aclosing(self._kinds[claim.kind].run(claim)) as chunks:
            async for _ in chunks:
                stops = claim.cancel_requested or claim.rests or self._context.stopping.is_set()
                if stops or time.monotonic() > over_at:
                    return False
        return True

    async def _end(self, claim: Claim, state: str) -> None:
        await _finish(claim, state)
        _log.info("job ended", state=state, **claim.counts)

    async def _fail(self, claim: Claim, error: Exception) -> None:
        if isinstance(error, Problem):
            code, detail = error.code, error.detail or error.title
            _log.info("job failed", code=code)
        else:
            code, detail = "internal_error", "The service failed; it is logged."
            _log.exception("job failed")
        await _finish(claim, "failed", code, detail)


async def _finish(claim: Claim, state: str, code: str | None = None, detail: str | None = None) -> None:
    if await claim.finish(state, code, detail):
        JOBS_ENDED.labels(claim.kind, state).inc()
