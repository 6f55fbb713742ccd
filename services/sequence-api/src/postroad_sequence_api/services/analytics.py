"""What became of the messages that were sent: by step, by day, by sequence.

Every count here needs the transaction of Desk.moment(): up to a mark the tracker has counted already, and what comes
after it is counted here.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from asyncpg import Record

from postroad_common.db import queries
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import NotFoundError
from postroad_sequence_api.models.analytics import (
    NOTHING,
    Counts,
    DailyAnalytics,
    DayCounts,
    Overview,
    SequenceCounts,
    SequenceSpan,
    Span,
    StepAnalytics,
    StepCounts,
)

_SQL: Final = queries("postroad_sequence_api", "analytics")
_STATS: Final = queries("postroad_sequence_api", "stats")
_ALWAYS: Final = SequenceSpan()
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_QUARTER: Final = timedelta(minutes=15)


async def by_step(work: Work, sequence_id: UUID, span: SequenceSpan) -> StepAnalytics:
    """Every step that the sequence ever had, in the order of the version that is shown."""
    await _sequence(work, sequence_id)
    steps = await work.all(_STATS.steps_of_stats, sequence_id, span.version)
    counts = await of_steps(work, sequence_id, span)
    return StepAnalytics(
        sequence_id=sequence_id,
        total=_sum(counts.values()),
        steps=tuple(StepCounts.of({**NOTHING, **counts.get(row["key"], {}), **row}) for row in steps),
    )


async def of_steps(work: Work, sequence_id: UUID, span: SequenceSpan = _ALWAYS) -> dict[str, Mapping[str, Any]]:
    """The counts of a sequence by the keys of its steps, with accepted and refused, of all times."""
    rows = await _counts(work, [sequence_id], span, span.version, by_step=True)
    return {row["key"]: dict(row) for row in rows}


async def by_day(work: Work, sequence_id: UUID, span: SequenceSpan) -> DailyAnalytics:
    """The days on which the sequence sent anything, in the tenant's time zone."""
    await _sequence(work, sequence_id)
    zone = await work.value(_SQL.zone)
    rows = await _counts(work, [sequence_id], span, span.version, zone=zone)
    days = sorted((DayCounts.of(row) for row in rows), key=lambda day: day.day)
    return DailyAnalytics(sequence_id=sequence_id, timezone=zone, days=tuple(days))


async def overview(work: Work, span: Span) -> Overview:
    """The sequences that sent anything, and their sum."""
    names = {row["sequence_id"]: row["name"] for row in await work.all(_SQL.sequences, None)}
    rows = {row["sequence_id"]: row for row in await _counts(work, list(names), span, None, by_sequence=True)}
    found = (SequenceCounts.of(rows[id_], name=name) for id_, name in names.items() if id_ in rows)
    return Overview(total=_sum(rows.values()), sequences=tuple(found))


async def _sequence(work: Work, sequence_id: UUID) -> None:
    if not await work.all(_SQL.sequences, sequence_id):
        raise NotFoundError("sequence")


async def _counts(
    work: Work,
    sequence_ids: list[UUID],
    span: Span,
    version: int | None,
    *,
    by_sequence: bool = False,
    by_step: bool = False,
    zone: str | None = None,
) -> list[Record]:
    mark = await work.one(_SQL.mark)
    times = (span.since, span.until, *whole_quarters(span.since, span.until))
    return await work.all(_SQL.counts, sequence_ids, *times, *mark, version, by_sequence, by_step, zone)


def whole_quarters(since: datetime | None, until: datetime | None) -> tuple[datetime | None, datetime | None]:
    """The quarters of an hour that lie wholly in a span: from the first's beginning to the last's end; None: no end.

    Of a span that holds none, both are its end.
    """
    first = None if since is None else since + (_EPOCH - since) % _QUARTER
    last = None if until is None else until - (until - _EPOCH) % _QUARTER
    if until is not None and last is not None and first is not None and first >= last:
        return until, until
    return first, last


def _sum(rows: Iterable[Mapping[str, Any] | Record]) -> Counts:
    found = list(rows)
    return Counts(**{name: sum(row[name] for row in found) for name in NOTHING})
