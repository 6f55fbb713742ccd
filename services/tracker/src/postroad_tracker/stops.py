"""Acknowledging stops: after the commit, look at what is on the wire, wait for it, and list what is still there."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from asyncpg import Pool

from postroad_common import faults
from postroad_common.db import queries, transaction
from postroad_tracker import metrics

_sql: Final = queries("postroad_tracker", "stops")

UNKNOWN_HORIZON: Final = timedelta(minutes=15)
"""How long an unknown message may be in the hands of a suspended sender: servers give up on a silent client in
5 to 10 minutes (RFC 5321, 4.5.3.2)."""

_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.2


class StopDesk:
    """Answers for stops that are committed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def acknowledge_events(self, tenant_id: UUID, keys: Sequence[str], within: timedelta) -> tuple[UUID, ...]:
        """Acknowledge the stops of these events, also of a delivery whose answer got lost.

        Returns the ids of the messages on the wire. Raises what the database raises.
        """
        async with transaction(self._pool, tenant_id) as conn:
            rows = await conn.fetch(_sql.of_keys, tenant_id, keys)
        listed = {id_ for row in rows if row["acknowledged_at"] for id_ in row["on_the_wire"]}
        waiting = {row["stop_id"] for row in rows if row["acknowledged_at"] is None}
        listed |= await self.acknowledge(tenant_id, waiting, within)
        if __debug__:
            faults.reach("tracker.acknowledged")
        return tuple(sorted(listed))

    async def acknowledge(self, tenant_id: UUID, stop_ids: Iterable[UUID], within: timedelta) -> set[UUID]:
        """Acknowledge each stop once nothing of it is transmitting; those left when the time is over, as they are."""
        waiting, listed = set(stop_ids), set[UUID]()
        clock = asyncio.get_running_loop().time
        deadline, pause = clock() + within.total_seconds(), _FIRST_PAUSE
        while waiting:
            over = clock() >= deadline
            answered = await self._acknowledge(tenant_id, waiting, over=over)
            waiting -= answered.keys()
            listed |= {id_ for ids in answered.values() for id_ in ids}
            if over or not waiting:
                break
            await asyncio.sleep(max(0.0, min(pause, deadline - clock())))
            pause = min(pause * 2, _LONGEST_PAUSE)
        metrics.ON_THE_WIRE.inc(len(listed))
        return listed | await self._read(tenant_id, waiting)

    async def _acknowledge(self, tenant_id: UUID, stop_ids: set[UUID], *, over: bool) -> dict[UUID, list[UUID]]:
        async with transaction(self._pool, tenant_id) as conn:
            rows = await conn.fetch(_sql.acknowledge, tenant_id, list(stop_ids), over, UNKNOWN_HORIZON)
        return {row["stop_id"]: row["on_the_wire"] for row in rows}

    async def _read(self, tenant_id: UUID, stop_ids: set[UUID]) -> set[UUID]:
        """What somebody else listed who acknowledged them first."""
        if not stop_ids:
            return set()
        async with transaction(self._pool, tenant_id) as conn:
            rows = await conn.fetch(_sql.read, tenant_id, list(stop_ids))
        return {id_ for row in rows for id_ in row["on_the_wire"]}
