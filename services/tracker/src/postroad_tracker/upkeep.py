"""What the tracker does by itself: matches late events, answers for stops left open, makes partitions ahead."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from asyncpg import Pool

from postroad_common.db import queries, transaction
from postroad_tracker import metrics
from postroad_tracker.event_store import match_late
from postroad_tracker.stops import StopDesk

_events: Final = queries("postroad_tracker", "events")
_stops: Final = queries("postroad_tracker", "stops")
_log = structlog.get_logger()

PARTITIONS_PERIOD: Final = timedelta(days=1)
_MONTHS_AHEAD: Final = 3
_TENANTS_AT_ONCE: Final = 50
_EVENTS_AT_ONCE: Final = 500
_BEFORE_ALL: Final = UUID(int=0)

YOUNG: Final = timedelta(minutes=2)
"""How long after an event its message is looked for often: the sender notes the provider's id within seconds."""


async def make_partitions(pool: Pool) -> None:
    """Partitions of this month and the next three; events of a month without one would be refused."""
    made = await pool.fetch(_events.make_partitions, _MONTHS_AHEAD)
    if made:
        _log.info("partitions made", partitions=[row[0] for row in made])


async def match_events(pool: Pool, desk: StopDesk, *, horizon: timedelta, committed: Callable[[], None]) -> None:
    """Let events of the horizon find messages that were noted after them, a page of tenants in one transaction."""
    after: UUID | None = _BEFORE_ALL
    while after is not None:
        rows = await pool.fetch(_events.tenants_with_unmatched, after, horizon, _TENANTS_AT_ONCE)
        tenants = [row["tenant_id"] for row in rows]
        while tenants and await _match(pool, desk, tenants, horizon) == _EVENTS_AT_ONCE:
            committed()
        committed()
        after = tenants[-1] if len(tenants) == _TENANTS_AT_ONCE else None


async def _match(pool: Pool, desk: StopDesk, tenants: list[UUID], horizon: timedelta) -> int:
    async with transaction(pool, tenants) as conn:
        matched, stops = await match_late(conn, tenants, horizon, _EVENTS_AT_ONCE)
    metrics.MATCHED_LATE.inc(matched)
    for stop in stops:
        await desk.acknowledge(stop.tenant_id, [stop.stop_id], timedelta())
    return matched


async def acknowledge_left_open(pool: Pool, desk: StopDesk, *, older_than: timedelta) -> None:
    """Acknowledge the stops of processes that died between commit and answer: what is on the wire now is listed."""
    for (tenant_id,) in await pool.fetch(_stops.tenants_with_open, older_than, _TENANTS_AT_ONCE):
        async with transaction(pool, tenant_id) as conn:
            rows = await conn.fetch(_stops.left_open, tenant_id, older_than)
        await desk.acknowledge(tenant_id, [row["stop_id"] for row in rows], timedelta())
