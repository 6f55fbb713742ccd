"""A database connection that is kept: where statements run all the time, acquiring costs more than they do."""

from collections.abc import Iterable
from uuid import UUID

import structlog
from asyncpg import Pool
from asyncpg.pool import PoolConnectionProxy

from postroad_common.db import AnyConnection, is_retryable

_log = structlog.get_logger()
_FIRST_REPLAN = 50
"""Entries after which statements are planned anew; then after twice as many, and so on."""


class HeldConnection:
    """Takes a connection when it is needed and keeps it until it breaks.

    Each statement here is a transaction of its own, so the tenants are set for the session: one round trip to the
    server and back instead of three. Nobody else uses the connection, and it is closed afterwards: nobody else may see
    these tenants.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._connection: PoolConnectionProxy | None = None
        self._tenants: frozenset[UUID] = frozenset()
        self._entries = 0
        self._replan_at = _FIRST_REPLAN

    async def seeing(self, tenants: Iterable[UUID]) -> AnyConnection:
        """Give the connection, with these tenants in sight and no other."""
        connection = self._connection or await self._take()
        wanted = frozenset(tenants)
        if wanted != self._tenants:
            listed = ",".join(str(UUID(bytes=tenant.bytes)) for tenant in wanted)
            self._tenants = frozenset()
            await connection.execute(f"SET app.tenants = '{listed}'")
            self._tenants = wanted
        return connection

    async def note(self, entries: int) -> None:
        """Count what goes through: plans made while tables were nearly empty must not stay when they have grown."""
        self._entries += entries
        if self._entries >= self._replan_at and self._connection is not None:
            self._replan_at = 2 * self._entries
            await self._connection.execute("DISCARD PLANS")

    async def let_go(self) -> None:
        """Close the connection, broken or not, and let the pool have its place."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            await connection.close(timeout=1)
        except Exception as error:
            if not is_retryable(error):
                raise
            _log.debug("a connection was let go broken", error=repr(error))
        finally:
            await self._pool.release(connection)

    async def _take(self) -> PoolConnectionProxy:
        connection = await self._pool.acquire()
        self._connection = connection
        self._tenants = frozenset()
        self._entries, self._replan_at = 0, _FIRST_REPLAN
        # Batches differ in size only: planning the look anew each time would cost more than running it. And every row
        # is read by its key, whatever the planner thinks of a table that has grown since its statistics.
        await connection.execute(
            "SET plan_cache_mode = force_generic_plan; SET enable_hashjoin = off; SET enable_mergejoin = off"
        )
        return connection
