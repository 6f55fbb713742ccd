"""A depot over a database of its own, whose clock stands still, and the senders' end of the queues."""

from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio

from postroad_common.db import create_pool
from postroad_stack.databases import Database

from .depot import Depot, SendersEnd, senders_end


@pytest_asyncio.fixture
async def depot(database: Database) -> AsyncIterator[Depot]:
    """An empty depot at 08:00 UTC of a Monday."""
    admin = await asyncpg.connect(database.admin_dsn)
    pool = await create_pool(database.dsn("postroad_scheduler"), application_name="scheduler", max_size=5)
    depot = Depot(admin, pool)
    await depot.set_clock(depot.start)
    yield depot
    await pool.close()
    await admin.close()


@pytest_asyncio.fixture
async def senders(module_vhost: str) -> AsyncIterator[SendersEnd]:
    """The queue of due steps, read."""
    async with senders_end(module_vhost) as end:
        yield end
