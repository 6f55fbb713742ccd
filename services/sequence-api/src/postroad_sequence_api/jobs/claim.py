"""A job in hand: chunks that commit their effects together with how far the job is, or not at all."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Self
from uuid import UUID

from asyncpg import Record

from postroad_common.db import queries
from postroad_common.faults import reach
from postroad_sequence_api.context import Context, Desk, Work
from postroad_sequence_api.metrics import JOB_ITEMS
from postroad_sequence_api.webhooks.happenings import job_ended

_SQL: Final = queries("postroad_sequence_api", "jobs")
_REST: Final = timedelta(seconds=1)


class JobLostError(Exception):
    """The lease ended and somebody else has the job: what the chunk did is rolled back."""


@dataclass(slots=True)
class Chunk:
    """A step of a job. What is set here commits with what its work does.

    position is where the next chunk begins, done how far the job then is, counts what to add, rows what to report.
    """

    work: Work
    position: Any
    done: int
    total: int | None
    counts: Counter[str] = field(default_factory=Counter)
    rows: Sequence[Sequence[Any]] = ()


@dataclass(slots=True)
class Claim:
    """A job that this process has claimed, until the lease ends; each chunk makes it longer."""

    desk: Desk
    job_id: UUID
    kind: str
    params: Mapping[str, Any]
    created_by: UUID
    position: Any
    done: int
    total: int | None
    counts: Counter[str]
    fence: int
    lease: timedelta
    cancel_requested: bool
    kept_at: float = field(default_factory=time.monotonic)
    rests: bool = field(default=False, init=False)
    """It waits for others: nothing more is done of it now."""

    @classmethod
    def of(cls, context: Context, tenant_id: UUID, row: Record) -> Self:
        """From the row that the claim gave."""
        return cls(
            desk=Desk(context, tenant_id),
            job_id=row["job_id"],
            kind=row["kind"],
            params=row["params"],
            created_by=row["created_by"],
            position=row["position"],
            done=row["done"],
            total=row["total"],
            counts=Counter(row["counts"]),
            fence=row["fence"],
            lease=timedelta(seconds=context.settings.job_lease_seconds),
            cancel_requested=row["cancel_requested_at"] is not None,
        )

    @asynccontextmanager
    async def chunk(self) -> AsyncIterator[Chunk]:
        """The next step: one transaction. Raises JobLostError, after which nothing of it is there."""
        async with self.desk.work() as work:
            chunk = Chunk(work, self.position, self.done, self.total)
            yield chunk
            counts = self.counts + chunk.counts
            moved = await work.find(
                _SQL.advance,
                self.job_id,
                self.fence,
                chunk.position,
                chunk.done,
                chunk.total,
                counts,
                self.lease,
            )
            if moved is None:
                raise JobLostError
            if chunk.rows:
                await work.do(_SQL.report, self.job_id, moved["chunks"], chunk.rows)
        if __debug__:
            reach("job.chunk_committed")
        for result, count in chunk.counts.items():
            JOB_ITEMS.labels(self.kind, result).inc(count)
        self.position, self.done, self.total, self.counts = chunk.position, chunk.done, chunk.total, counts
        self.cancel_requested = moved["cancel_requested_at"] is not None
        self.kept_at = time.monotonic()

    async def keep(self) -> None:
        """Make the lease longer, if a good part of it is over: for work that takes long without a chunk."""
        if time.monotonic() - self.kept_at < self.lease.total_seconds() / 3:
            return
        async with self.desk.work() as work:
            if await work.find(_SQL.keep, self.job_id, self.fence, self.lease) is None:
                raise JobLostError
        self.kept_at = time.monotonic()

    async def piece(self, number: int) -> bytes:
        """A piece of the job's file."""
        await self.keep()
        async with self.desk.work() as work:
            row = await work.one(_SQL.input, self.job_id, number)
        piece: bytes = row["bytes"]
        return piece

    def rest(self) -> None:
        """It waits for others: after the chunk it is given back, to be looked at again in a while."""
        self.rests = True

    async def give_back(self) -> None:
        """Let others go on with it: at once, or when it has rested."""
        async with self.desk.work() as work:
            await work.do(_SQL.give_back, self.job_id, self.fence, _REST if self.rests else None)

    async def finish(self, state: str, error_code: str | None = None, error_detail: str | None = None) -> bool:
        """End it, if nobody else has it; whether it did."""
        async with self.desk.work() as work:
            ended = await work.find(_SQL.finish, self.job_id, self.fence, state, error_code, error_detail)
            if ended is not None:
                await work.tell(job_ended(work.tenant_id, dict(ended)))
        return ended is not None
