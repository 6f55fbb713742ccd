"""Tracking events, as they may be read: the feed.

Positions in a tenant's feed become visible in their order, so whoever goes on from the cursor of the last event that
was seen misses none and sees none twice. An event that finds its message late has a second position, which counts
where a list asks for those of a message, an enrollment, a contact or a sequence.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from asyncpg import Record

from postroad_common.db import queries
from postroad_sequence_api.context import Desk, Work
from postroad_sequence_api.models.base import Page, page_of
from postroad_sequence_api.models.events import Event, EventExport, EventPick

_SQL: Final = queries("postroad_sequence_api", "events")
_EXPORTED: Final = 1000  # events read at once
_EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Subject:
    """Whose events are read: of these enrollments, of a sequence, or of the tenant."""

    enrollments: tuple[UUID, ...] | None
    sequence_id: UUID | None
    message_id: UUID | None


async def listed(work: Work, pick: EventPick) -> Page[Event]:
    """Events in the order of the feed."""
    end = await work.value(_SQL.feed_end) + 1
    after, end = await _span(work, pick, end)
    rows = await _read(work, pick, await _subject(work, pick), after, end, pick.limit + 1)
    return page_of((Event.of(row) for row in rows), pick.limit, cursor="cursor")


async def exported(desk: Desk, pick: EventExport) -> AsyncIterator[bytes]:
    """The events that are there now, as lines of JSON, some at a time; each time is a transaction of its own."""
    async with desk.work() as work:
        subject = await _subject(work, pick)
        after, end = await _span(work, pick, await work.value(_SQL.feed_end) + 1)
    while True:
        async with desk.work() as work:
            rows = await _read(work, pick, subject, after, end, _EXPORTED)
        events = [Event.of(row) for row in rows]
        if not events:
            return
        yield b"".join(event.__pydantic_serializer__.to_json(event) + b"\n" for event in events)
        if len(events) < _EXPORTED:
            return
        after = int(events[-1].cursor)


async def _span(work: Work, pick: EventExport, end: int) -> tuple[int, int]:
    """The positions between which to read. Times narrow them, since received_at has the order of the feed."""
    after = pick.after or 0
    if pick.since is not None:
        first = await work.value(_SQL.position_at, pick.since)
        after = max(after, end if first is None else first - 1)
    if pick.until is not None and not _of_messages(pick):
        behind = await work.value(_SQL.position_at, pick.until)
        end = end if behind is None else min(end, behind)
    return after, end


async def _subject(work: Work, pick: EventExport) -> _Subject:
    enrollments = None
    if (pick.contact_id, pick.enrollment_id, pick.message_id) != (None, None, None):
        rows = await work.all(
            _SQL.enrollments_of, pick.contact_id, pick.enrollment_id, pick.message_id, pick.sequence_id
        )
        enrollments = tuple(row["enrollment_id"] for row in rows)
    return _Subject(enrollments, pick.sequence_id, pick.message_id)


async def _read(work: Work, pick: EventExport, subject: _Subject, after: int, end: int, limit: int) -> list[Record]:
    place = (after, end, pick.type, limit)
    times = (pick.since or _EARLIEST, pick.until or _LATEST)
    if subject.enrollments is not None:
        return await work.all(_SQL.feed_of_enrollments, *place, subject.enrollments, subject.message_id, *times)
    if subject.sequence_id is not None:
        return await work.all(_SQL.feed_of_sequence, *place, subject.sequence_id, *times)
    return await work.all(_SQL.feed, *place)


def _of_messages(pick: EventExport) -> bool:
    return any(one is not None for one in (pick.sequence_id, pick.contact_id, pick.enrollment_id, pick.message_id))
