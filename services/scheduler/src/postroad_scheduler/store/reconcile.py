"""What was missed: enrollments nobody took up, intents nobody applied, holds whose cause is gone."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from asyncpg import Record

from postroad_common.db import AnyConnection, queries

_SQL: Final = queries("postroad_scheduler", "reconcile")


class Census(NamedTuple):
    """Counts of rows, and how far past its time the most overdue is."""

    held: int = 0
    in_flight: int = 0
    needs_attention: int = 0
    oldest_due_seconds: float = 0.0

    def joined(self, other: "Census") -> "Census":
        """Of both sets of tenants."""
        return Census(
            self.held + other.held,
            self.in_flight + other.in_flight,
            self.needs_attention + other.needs_attention,
            max(self.oldest_due_seconds, other.oldest_due_seconds),
        )


async def tenants_enrolled(conn: AnyConnection, after: UUID, up_to: int) -> list[UUID]:
    """Tenants that ever enrolled anybody, in order, after one."""
    return [row["tenant_id"] for row in await conn.fetch(_SQL.tenants_enrolled, after, up_to)]


async def untaken(conn: AnyConnection, since: Mapping[UUID, Any], *, until: datetime, limit: int) -> list[Record]:
    """(tenant_id, enrollment_id, at) of enrollments without progress, by time of creation."""
    return await conn.fetch(_SQL.untaken, list(since), list(since.values()), until, limit)


async def unapplied(conn: AnyConnection, since: Mapping[UUID, Any], *, until: datetime, limit: int) -> list[Record]:
    """(tenant_id, enrollment_id, at) of pauses and stops that progress does not show, by time of the intent."""
    return await conn.fetch(_SQL.unapplied, list(since), list(since.values()), until, limit)


async def released(conn: AnyConnection, after: Mapping[UUID, Any], *, limit: int) -> list[Record]:
    """(tenant_id, enrollment_id, at) of held rows that nothing holds any more, by enrollment."""
    return await conn.fetch(_SQL.released, list(after), list(after.values()), limit)


async def census(conn: AnyConnection, tenants: Sequence[UUID]) -> Census:
    """How many rows of these tenants wait for somebody else."""
    (row,) = await conn.fetch(_SQL.census, tenants)
    return Census(row["held"], row["in_flight"], row["needs_attention"], row["oldest_due_seconds"])


async def sequence_state(conn: AnyConnection, tenant_id: UUID, sequence_id: UUID) -> str | None:
    """The state that somebody wants of a sequence; None when it is gone."""
    state: str | None = await conn.fetchval(_SQL.sequence_state, tenant_id, sequence_id)
    return state


async def held_of_sequence(
    conn: AnyConnection, tenant_id: UUID, sequence_id: UUID, *, after: UUID, limit: int
) -> list[UUID]:
    """Held enrollments of a sequence, in order, after one."""
    rows = await conn.fetch(_SQL.held_of_sequence, tenant_id, sequence_id, after, limit)
    return [row["enrollment_id"] for row in rows]


async def running_of_sequence(
    conn: AnyConnection, tenant_id: UUID, sequence_id: UUID, *, after: UUID, limit: int
) -> list[UUID]:
    """Enrollments of a sequence that have not ended, in order, after one."""
    rows = await conn.fetch(_SQL.running_of_sequence, tenant_id, sequence_id, after, limit)
    return [row["enrollment_id"] for row in rows]
