"""The one durable write of the tracker: what came in, and all that follows from it, in one transaction."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from asyncpg import Pool

from postroad_common import faults
from postroad_common.db import is_retryable, transaction
from postroad_tracker import metrics
from postroad_tracker.clock import DatabaseClock
from postroad_tracker.collector import Bounds, Collector
from postroad_tracker.consequences import Stop
from postroad_tracker.errors import StoreUnavailableError
from postroad_tracker.event_store import EventRow, Fresh, follow_up, keep_raw, store_events
from postroad_tracker.matching import claim
from postroad_tracker.submission import Receipt, Submission

_log = structlog.get_logger()


class Ingest:
    """Stores submissions, as many in one transaction as are waiting."""

    def __init__(self, pool: Pool, *, clock: DatabaseClock, bounds: Bounds, committed: Callable[[], None]) -> None:
        self._pool = pool
        self._clock = clock
        self._committed = committed
        self._collector: Collector[Submission, Receipt] = Collector(self._write, weigh=_weigh, bounds=bounds)

    async def store(self, submission: Submission, *, within: timedelta) -> Receipt:
        """Returns once the submission is committed. Raises StoreUnavailableError when that is not known in time."""
        try:
            async with asyncio.timeout(within.total_seconds()):
                return await self._collector.submit(submission)
        except TimeoutError as error:
            raise StoreUnavailableError("the commit took too long") from error

    async def run(self) -> None:
        """Write until cancelled."""
        await self._collector.run()

    async def _write(self, batch: Sequence[Submission]) -> list[Receipt | StoreUnavailableError]:
        """One transaction for all; if PostgreSQL refuses the data, one for each, so that only the culprit fails."""
        try:
            return [*await self._transact(batch)]
        except Exception as error:  # noqa: BLE001 - whatever one request brings, the others are stored
            if is_retryable(error):
                _log.warning("events wait: the database does not answer", error=repr(error), requests=len(batch))
                return [StoreUnavailableError(repr(error)) for _ in batch]
            if len(batch) > 1:
                return [outcome for one in batch for outcome in await self._write([one])]
            _log.exception("events could not be stored", source=batch[0].source)
            return [StoreUnavailableError(repr(error))]

    async def _transact(self, batch: Sequence[Submission]) -> list[Receipt]:
        rows = _rows(batch)
        async with transaction(self._pool, {one.tenant_id for one in batch}) as conn:
            await keep_raw(conn, batch)
            fresh = await store_events(conn, rows)
            stops = await follow_up(conn, fresh.events.values())
        if __debug__:
            faults.reach("tracker.committed")
        self._committed()
        if fresh.received_at is not None:
            self._clock.observe(fresh.received_at)
        metrics.COMMIT_REQUESTS.observe(len(batch))
        _count(rows, fresh, stops)
        return _receipts(batch, rows, fresh)


def _rows(batch: Sequence[Submission]) -> Collection[EventRow]:
    """The events of a batch; one that the broker gave twice stands there once."""
    rows: dict[UUID, EventRow] = {}
    for one in batch:
        for event_id, event in zip(one.event_ids, one.events, strict=True):
            rows.setdefault(event_id, EventRow(one, event_id, event, claim(one.tenant_id, event)))
    return rows.values()


def _receipts(batch: Sequence[Submission], rows: Collection[EventRow], fresh: Fresh) -> list[Receipt]:
    stored = Counter(id(row.submission) for row in rows if row.event_id in fresh.events)
    return [Receipt(stored[id(one)], len(one.events) - stored[id(one)]) for one in batch]


def _weigh(one: Submission) -> int:
    return 500 * (1 + len(one.events)) + (len(one.raw.body) if one.raw else 0)


def _count(rows: Collection[EventRow], fresh: Fresh, stops: Sequence[Stop]) -> None:
    for row in rows:
        source = row.submission.source
        stored = fresh.events.get(row.event_id)
        if stored is None:
            metrics.DUPLICATES.labels(source).inc()
            continue
        metrics.EVENTS.labels(source, stored.type.value).inc()
        if stored.message_id is None:
            metrics.UNMATCHED.labels(source).inc()
    for stop in stops:
        metrics.STOPS.labels(stop.kind).inc()
