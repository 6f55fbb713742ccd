"""What analytics show, counted in advance, so that asking does not read every message again."""

from typing import Final
from uuid import UUID

from asyncpg import Pool

from postroad_common.db import queries, transaction

_SQL: Final = queries("postroad_tracker", "counts")
_TENANTS_AT_ONCE: Final = 200
_BEFORE_ALL: Final = UUID(int=0)

AT_ONCE: Final = 2_000
"""Messages and events that one transaction counts, at most so many of each."""
_TURNS: Final = 10
"""Transactions for a tenant before the next one has its turn."""


async def count_messages(pool: Pool) -> None:
    """Count what has come for every tenant whose counts are behind, some for each: page by page of tenants."""
    after: UUID | None = _BEFORE_ALL
    while after is not None:
        rows = await pool.fetch(_SQL.tenants_to_count, after, _TENANTS_AT_ONCE)
        tenants = [row["tenant_id"] for row in rows]
        for tenant_id in tenants:
            for _ in range(_TURNS):
                if not await count_some(pool, tenant_id):
                    break
        after = tenants[-1] if len(tenants) == _TENANTS_AT_ONCE else None


async def count_some(pool: Pool, tenant_id: UUID, at_once: int = AT_ONCE) -> bool:
    """Move a tenant's mark by one step and count what it passes, in one transaction. False: there is no more yet.

    The last attempts wait for the next round: an older one may still be on its way to its commit.
    """
    async with transaction(pool, tenant_id) as conn:
        await conn.execute(_SQL.make_mark, tenant_id)
        mark = await conn.fetchrow(_SQL.take_mark, tenant_id, at_once)
        if mark is None:  # another process counts
            return False
        position, attempt = mark["to_position"], mark["to_attempt"]
        moves = (position, attempt) != (mark["position"], mark["attempt_id"])
        if moves:
            await conn.execute(_SQL.count, tenant_id, mark["position"], position, mark["attempt_id"], attempt)
        await conn.execute(_SQL.move_mark, tenant_id, position, attempt)
        return moves
