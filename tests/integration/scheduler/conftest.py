"""A depot over a database of its own, whose clock stands still, and the senders' end of the queues."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from postroad_common.db import create_pool
from postroad_stack.databases import Database
from postroad_stack.pytest_plugin import run
from postroad_stack.vhosts import VhostSupply

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


@pytest.fixture(scope="module")
def module_vhost(vhost_supply: VhostSupply) -> str:
    """One vhost for the tests of a module: what is in its queues is thrown away before each."""
    return run(vhost_supply.take())


@pytest_asyncio.fixture
async def senders(module_vhost: str) -> AsyncIterator[SendersEnd]:
    """The queue of due steps, read."""
    async with senders_end(module_vhost) as end:
        yield end
