"""What the tracker does by itself: matches late events, answers for stops left open, makes partitions ahead."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from asyncpg import Pool

from postroad_common.db import queries, transaction
from postroad_tracker import metrics
from postroad_tracker.ingest import match_late
from postroad_tracker.stops import StopDesk

_events: Final = queries("postroad_tracker", "events")
_stops: Final = queries("postroad_tracker", "stops")
_log = structlog.get_logger()

PARTITIONS_PERIOD: Final = timedelta(days=1)
_MONTHS_AHEAD: Final = 3
_TENANTS_AT_ONCE: Final = 50
_EVENTS_AT_ONCE: Final = 500


async def make_partitions(pool: Pool) -> None:
    """Partitions of this month and the next three; events of a month without one would be refused."""
    made = await pool.fetch(_events.make_partitions, _MONTHS_AHEAD)
    if made:
        _log.info("partitions made", partitions=[row[0] for row in made])


async def match_events(pool: Pool, desk: StopDesk, *, horizon: timedelta, committed: Callable[[], None]) -> None:
    """Let young events find the messages that were noted after them, tenant by tenant in one batch."""
    tenants = await _tenants(pool, _events.tenants_with_unmatched, horizon)
    if not tenants:
        return
    async with transaction(pool, tenants) as conn:
        stops = await match_late(conn, tenants, horizon, _EVENTS_AT_ONCE)
    committed()
    metrics.MATCHED_LATE.inc(len(stops))
    for stop in stops:
        await desk.acknowledge(stop.tenant_id, [stop.stop_id], timedelta())


async def acknowledge_left_open(pool: Pool, desk: StopDesk, *, older_than: timedelta) -> None:
    """Acknowledge the stops of processes that died between commit and answer: what is on the wire now is listed."""
    for tenant_id in await _tenants(pool, _stops.tenants_with_open, older_than):
        async with transaction(pool, tenant_id) as conn:
            rows = await conn.fetch(_stops.left_open, tenant_id, older_than)
        await desk.acknowledge(tenant_id, [row["stop_id"] for row in rows], timedelta())


async def _tenants(pool: Pool, statement: str, age: timedelta) -> list[UUID]:
    return [row["tenant_id"] for row in await pool.fetch(statement, age, _TENANTS_AT_ONCE)]
