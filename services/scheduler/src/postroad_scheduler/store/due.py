"""Due rows: whose they are, claimed under a lease, marked when published."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from postroad_common.db import AnyConnection, queries
from postroad_scheduler.values import Claimed

_SQL: Final = queries("postroad_scheduler", "due")


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms rows are claimed: how many a tenant, how many in flight, for how long, how often."""

    per_tenant: int
    in_flight: int
    lease: timedelta
    max_emissions: int


async def tenants_to_wake(conn: AnyConnection, after: UUID, up_to: int) -> list[UUID]:
    """Tenants that have something to look at, in order, after one."""
    return [row["tenant_id"] for row in await conn.fetch(_SQL.tenants_to_wake, after, up_to)]


async def claim(conn: AnyConnection, tenants: Sequence[UUID], terms: Terms) -> list[Claimed]:
    """Take rows whose time has come, each ours until its lease ends."""
    rows = await conn.fetch(_SQL.claim, tenants, terms.per_tenant, terms.in_flight, terms.lease, terms.max_emissions)
    return [Claimed(*row) for row in rows]


async def recalling(conn: AnyConnection) -> bool:
    """Whether steps are being recalled that may have been sent before the database was restored."""
    return await conn.fetchrow(_SQL.recalling) is not None


async def recall(conn: AnyConnection, tenants: Sequence[UUID], *, per_tenant: int, lease: timedelta) -> list[Claimed]:
    """Take rows whose step may have been sent before the database was restored, each ours until its lease ends."""
    return [Claimed(*row) for row in await conn.fetch(_SQL.recall, tenants, per_tenant, lease)]


async def mark_in_flight(conn: AnyConnection, claimed: Sequence[Claimed], time_to_answer: timedelta) -> int:
    """Say of published rows that an answer is waited for; how many were still ours to say so."""
    columns = (
        [row.tenant_id for row in claimed],
        [row.enrollment_id for row in claimed],
        [row.fence for row in claimed],
    )
    return len(await conn.fetch(_SQL.mark_in_flight, *columns, time_to_answer))
