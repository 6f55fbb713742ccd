"""The clock: the database's, so that no two processes disagree about what is due."""

from datetime import datetime

from asyncpg import Connection
from asyncpg.pool import PoolConnectionProxy


async def database_now(conn: Connection | PoolConnectionProxy) -> datetime:
    """Now, as postroad.now() says it; aware, UTC. Test databases replace that function to travel in time."""
    now: datetime = await conn.fetchval("SELECT postroad.now()")
    return now
