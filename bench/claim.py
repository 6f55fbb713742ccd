"""Claiming due steps while a million others wait, beside the same while ten thousand wait."""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg

from bench.population import Population, add_contacts, enroll_waiting, make_tenant
from postroad_common.db import create_pool, transaction
from postroad_scheduler.store.due import Terms, claim, tenants_to_wake
from postroad_stack import start_stack
from postroad_stack.databases import Database
from tests.acceptance.conftest import migrated_database

MANY, FEW, DUE, ROUNDS = 1_000_000, 10_000, 5_000, 5
TERMS = Terms(per_tenant=500, in_flight=1_000_000, lease=timedelta(minutes=1), max_emissions=8)

_MAKE_DUE = """
UPDATE schedule.progress SET wake_at = now() - interval '1 second', next_due_at = now() - interval '1 second'
WHERE (tenant_id, enrollment_id) IN (
    SELECT tenant_id, enrollment_id FROM schedule.progress WHERE tenant_id = $1 AND phase = 'waiting'
    ORDER BY enrollment_id LIMIT $2)
"""
_MAKE_WAIT = """
UPDATE schedule.progress SET phase = 'waiting', attempt = 0, emissions = 0, wake_at = due.at, next_due_at = due.at
FROM (SELECT now() + interval '3 hours' AS at) AS due
WHERE tenant_id = $1 AND phase = 'claimed'
"""


@dataclass(frozen=True)
class Side:
    """A database with so many waiting, and the scheduler's way to it."""

    admin: asyncpg.Connection
    pool: asyncpg.Pool
    population: Population

    async def rate(self) -> float:
        """Rows claimed per second, tick by tick as the scheduler does it."""
        tenant_id = self.population.tenant_id
        await self.admin.execute(_MAKE_DUE, tenant_id, DUE)
        await self.admin.execute("VACUUM schedule.progress")
        claimed, began = 0, time.perf_counter()
        while True:
            async with self.pool.acquire() as conn:
                tenants = await tenants_to_wake(conn, UUID(int=0), 50)
            if not tenants:
                break
            async with transaction(self.pool, tenants) as conn:
                claimed += len(await claim(conn, tenants, TERMS))
        took = time.perf_counter() - began
        if claimed != DUE:
            raise RuntimeError(f"claimed {claimed} of {DUE}: the run does not count")
        await self.admin.execute(_MAKE_WAIT, tenant_id)
        return claimed / took


async def make_side(database: Database, waiting: int) -> Side:
    admin = await asyncpg.connect(database.admin_dsn)
    made = await make_tenant(admin)
    await add_contacts(admin, made.tenant_id, waiting)
    await enroll_waiting(admin, made)
    pool = await create_pool(database.dsn("postroad_scheduler"), application_name="bench", max_size=1)
    return Side(admin, pool, made)


async def run() -> list[tuple[float, float]]:
    """Rounds in turn: (while many wait, while few wait)."""
    async with (
        start_stack() as stack,
        migrated_database(stack.postgres.dsn) as large,
        migrated_database(stack.postgres.dsn) as small,
    ):
        many, few = await make_side(large, MANY), await make_side(small, FEW)
        rounds = []
        try:
            for round_ in range(ROUNDS):
                order = (many, few) if round_ % 2 else (few, many)
                rates = {side: await side.rate() for side in order}
                rounds.append((rates[many], rates[few]))
        finally:
            for side in (many, few):
                await side.pool.close()
                await side.admin.close()
        return rounds


def main() -> None:
    """Print the figures."""
    print(f"rows claimed/s, {DUE:,} due in batches of {TERMS.per_tenant}: {MANY:,} waiting beside {FEW:,} waiting")
    rounds = asyncio.run(run())
    for number, (many, few) in enumerate(rounds, 1):
        print(f"  round {number}: {many:,.0f} with {MANY:,} waiting, {few:,.0f} with {FEW:,} waiting")
    ratio = statistics.median(many / few for many, few in rounds)
    many, few = (statistics.median(side) for side in zip(*rounds, strict=True))
    print(f"  median: {many:,.0f} beside {few:,.0f}, {ratio:.2f}x (aim 0.9x)")
