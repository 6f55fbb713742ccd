"""Writing events and what follows from them, inside the caller's transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID, uuid5

import asyncpg
import orjson

from postroad_common import outbox
from postroad_common.db import AnyConnection, queries
from postroad_common.personal import without_addresses
from postroad_tracker.consequences import Stop, StoredEvent, messages_of, records_of, stop_of
from postroad_tracker.events import BounceType, EventType, NormalisedEvent
from postroad_tracker.matching import Claim, contact_address
from postroad_tracker.submission import Submission

_events: Final = queries("postroad_tracker", "events")
_stops: Final = queries("postroad_tracker", "stops")


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event on its way into the table."""

    submission: Submission
    event_id: UUID
    event: NormalisedEvent
    claim: Claim


@dataclass(frozen=True, slots=True)
class Fresh:
    """What a batch of rows has added."""

    events: Mapping[UUID, StoredEvent]
    """By id: those that were not there before."""
    received_at: datetime | None
    """The database's clock at the write; None when nothing was new."""


async def store_events(conn: AnyConnection, rows: Collection[EventRow]) -> Fresh:
    """Store those whose keys are new, with the messages they are about. No event id may be there twice."""
    if not rows:
        return Fresh({}, None)
    candidates = [
        (row.submission.tenant_id, row.event_id, message_id, rank)
        for row in rows
        for rank, message_id in enumerate(row.claim.message_ids)
    ]
    records = await conn.fetch(_events.store, *_columns(map(_event_row, rows), 17), *_columns(candidates, 4))
    traces = {row.event_id: row.submission.traceparent for row in rows}
    stored = {record["event_id"]: _stored(record, traces[record["event_id"]]) for record in records}
    return Fresh(stored, max((record["received_at"] for record in records), default=None))


async def follow_up(conn: AnyConnection, events: Iterable[StoredEvent]) -> list[Stop]:
    """Write the stops and messages of newly stored or newly matched events, in the transaction of the caller."""
    known = list(events)
    stops = [stop for event in known if (stop := stop_of(event))]
    if stops:
        rows = [(s.tenant_id, s.stop_id, s.kind, s.event_id, s.enrollment_id, s.contact_id, s.email) for s in stops]
        await conn.execute(_stops.add, *_columns(rows, 7))
    messages = messages_of(known) + records_of(known)
    if messages:
        await outbox.enqueue(conn, "tracking", messages)
    return stops


async def match_late(
    conn: AnyConnection, tenants: Sequence[UUID], horizon: timedelta, limit: int
) -> tuple[int, list[Stop]]:
    """Let young events find messages that were noted after them, and write what follows.

    Returns how many did, and the stops that they make.
    """
    records = await conn.fetch(_events.match_late, tenants, horizon, limit)
    return len(records), await follow_up(conn, [_stored(record, None) for record in records])


async def keep_raw(conn: AnyConnection, batch: Sequence[Submission]) -> None:
    """Keep the requests as they came, each body of a source once."""
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


def _event_row(row: EventRow) -> tuple[Any, ...]:
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
        event.detail and without_addresses(event.detail),
        event.url and without_addresses(event.url),
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
        sequence_id=record["sequence_id"],
        step_key=record["step_key"],
        address=record["address"],
        message_state=record["message_state"],
        traceparent=traceparent,
    )


def _columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows turned into one array per column, as unnest() wants them."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
