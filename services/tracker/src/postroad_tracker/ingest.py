"""The one durable write of the tracker: what came in, and all that follows from it, in one transaction."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID, uuid5

import asyncpg
import orjson
import structlog
from asyncpg import Pool

from postroad_common import faults, outbox
from postroad_common.db import RETRYABLE, AnyConnection, is_retryable, queries, transaction
from postroad_common.ids import new_id
from postroad_tracker import metrics
from postroad_tracker.clock import DatabaseClock
from postroad_tracker.collector import Bounds, Collector
from postroad_tracker.consequences import Stop, StoredEvent, messages_of, stop_of
from postroad_tracker.errors import StoreUnavailableError
from postroad_tracker.events import BounceType, EventType, NormalisedEvent
from postroad_tracker.matching import Claim, claim, contact_address

_events: Final = queries("postroad_tracker", "events")
_stops: Final = queries("postroad_tracker", "stops")
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A webhook as it came: the headers worth keeping, the body, and what of it could not be read."""

    headers: Mapping[str, str]
    body: bytes
    rejected: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What one request brings to be stored, for one tenant."""

    tenant_id: UUID
    source: str
    """pixel, click, unsubscribe, or the ESP's name."""
    events: tuple[NormalisedEvent, ...]
    event_ids: tuple[UUID, ...]
    source_id: UUID | None = None
    raw: RawRequest | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a commit made of a submission."""

    stored: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class _Row:
    submission: Submission
    event_id: UUID
    event: NormalisedEvent
    claim: Claim = field(repr=False)


def submission(
    tenant_id: UUID,
    source: str,
    events: Sequence[NormalisedEvent],
    *,
    source_id: UUID | None = None,
    raw: RawRequest | None = None,
    traceparent: str | None = None,
) -> Submission:
    """A submission whose events get new ids."""
    return Submission(
        tenant_id=tenant_id,
        source=source,
        events=tuple(events),
        event_ids=tuple(new_id() for _ in events),
        source_id=source_id,
        raw=raw,
        traceparent=traceparent,
    )


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
        except (*RETRYABLE, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
            if is_retryable(error):
                _log.warning("events wait: the database does not answer", error=repr(error), requests=len(batch))
                return [StoreUnavailableError(repr(error)) for _ in batch]
            if len(batch) > 1:
                return [outcome for one in batch for outcome in await self._write([one])]
            _log.exception("events could not be stored", source=batch[0].source)
            return [StoreUnavailableError(repr(error))]

    async def _transact(self, batch: Sequence[Submission]) -> list[Receipt]:
        rows = [
            _Row(one, event_id, event, claim(one.tenant_id, event))
            for one in batch
            for event_id, event in zip(one.event_ids, one.events, strict=True)
        ]
        async with transaction(self._pool, {one.tenant_id for one in batch}) as conn:
            await _keep_raw(conn, batch)
            fresh = await self._store(conn, rows)
            stops = await follow_up(conn, fresh.values())
        if __debug__:
            faults.reach("tracker.committed")
        self._committed()
        metrics.COMMIT_REQUESTS.observe(len(batch))
        _count(rows, fresh, stops)
        stored = Counter(id(row.submission) for row in rows if row.event_id in fresh)
        return [Receipt(stored[id(one)], len(one.events) - stored[id(one)]) for one in batch]

    async def _store(self, conn: AnyConnection, rows: Sequence[_Row]) -> dict[UUID, StoredEvent]:
        if not rows:
            return {}
        candidates = [
            (row.submission.tenant_id, row.event_id, message_id, rank)
            for row in rows
            for rank, message_id in enumerate(row.claim.message_ids)
        ]
        records = await conn.fetch(_events.store, *_columns(map(_event_row, rows), 17), *_columns(candidates, 4))
        if records:
            self._clock.observe(records[0]["received_at"])
        traces = {row.event_id: row.submission.traceparent for row in rows}
        return {record["event_id"]: _stored(record, traces[record["event_id"]]) for record in records}


async def follow_up(conn: AnyConnection, events: Iterable[StoredEvent]) -> list[Stop]:
    """Write the stops and signals of newly stored or newly matched events, in the transaction of the caller."""
    known = list(events)
    stops = [stop for event in known if (stop := stop_of(event))]
    if stops:
        rows = [(s.tenant_id, s.stop_id, s.kind, s.event_id, s.enrollment_id, s.contact_id, s.email) for s in stops]
        await conn.execute(_stops.add, *_columns(rows, 7))
    messages = messages_of(known)
    if messages:
        await outbox.enqueue(conn, "tracking", messages)
    return stops


async def match_late(conn: AnyConnection, tenants: Sequence[UUID], horizon: timedelta, limit: int) -> list[Stop]:
    """Give young events without a message another chance to find it, and write what follows from those that do."""
    records = await conn.fetch(_events.match_late, tenants, horizon, limit)
    return await follow_up(conn, [_stored(record, None) for record in records])


async def _keep_raw(conn: AnyConnection, batch: Sequence[Submission]) -> None:
    rows = [
        (
            one.tenant_id,
            uuid5(one.source_id, sha256(one.raw.body).hexdigest()),
            one.source_id,
            orjson.dumps(one.raw.headers).decode(),
            one.raw.body,
            orjson.dumps(one.raw.rejected).decode(),
        )
        for one in batch
        if one.raw is not None and one.source_id is not None
    ]
    if rows:
        await conn.execute(_events.keep_raw, *_columns(rows, 6))


def _event_row(row: _Row) -> tuple[Any, ...]:
    one, event = row.submission, row.event
    return (
        one.tenant_id,
        row.event_id,
        event.key,
        event.occurred_at,
        event.type.value,
        one.source,
        one.source_id,
        event.provider_message_id,
        row.claim.foreign,
        contact_address(event, row.claim),
        event.recipient,
        event.bounce_type.value if event.bounce_type else None,
        event.detail,
        event.url,
        event.machine,
        event.ip,
        event.user_agent,
    )


def _stored(record: asyncpg.Record, traceparent: str | None) -> StoredEvent:
    bounce_type = record["bounce_type"]
    return StoredEvent(
        tenant_id=record["tenant_id"],
        event_id=record["event_id"],
        occurred_at=record["occurred_at"],
        type=EventType(record["type"]),
        bounce_type=BounceType(bounce_type) if bounce_type else None,
        url=record["url"],
        machine=record["machine"],
        message_id=record["message_id"],
        enrollment_id=record["enrollment_id"],
        contact_id=record["contact_id"],
        address=record["address"],
        message_state=record["message_state"],
        traceparent=traceparent,
    )


def _columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows turned into one array per column, as unnest() wants them."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def _weigh(one: Submission) -> int:
    return 500 * (1 + len(one.events)) + (len(one.raw.body) if one.raw else 0)


def _count(rows: Sequence[_Row], fresh: Mapping[UUID, StoredEvent], stops: Sequence[Stop]) -> None:
    for row in rows:
        source = row.submission.source
        stored = fresh.get(row.event_id)
        if stored is None:
            metrics.DUPLICATES.labels(source).inc()
            continue
        metrics.EVENTS.labels(source, stored.type.value).inc()
        if stored.message_id is None:
            metrics.UNMATCHED.labels(source).inc()
    for stop in stops:
        metrics.STOPS.labels(stop.kind).inc()
