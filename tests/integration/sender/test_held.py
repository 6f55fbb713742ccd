"""A connection that is kept sees tenants for its session: nobody may get it afterwards."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from postroad_common.db import create_pool
from postroad_common.ids import new_id
from postroad_sender.held import HeldConnection
from postroad_stack.databases import Database


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[asyncpg.Pool]:
    """One connection: whoever comes next gets the one just used."""
    async with await create_pool(database.dsn("postroad_sender"), application_name="test", max_size=1) as pool:
        yield pool


async def seen_by_the_next(pool: asyncpg.Pool) -> tuple[str | None, str]:
    """The tenants, and how statements are planned."""
    async with pool.acquire(timeout=5) as conn:
        return await conn.fetchval("SELECT current_setting('app.tenants', true)"), await conn.fetchval(
            "SHOW plan_cache_mode"
        )


async def test_what_a_kept_connection_has_set_is_gone_with_it(pool: asyncpg.Pool) -> None:
    held, tenant = HeldConnection(pool), new_id()
    kept = await held.seeing([tenant])
    assert await kept.fetchval("SHOW app.tenants") == str(tenant)

    await held.let_go()

    assert await seen_by_the_next(pool) == (None, "auto")


async def test_a_kept_connection_that_broke_leaves_its_place_to_a_new_one(
    pool: asyncpg.Pool, database: Database
) -> None:
    held = HeldConnection(pool)
    kept = await held.seeing([new_id()])
    admin = await asyncpg.connect(database.admin_dsn)
    await admin.execute("SELECT pg_terminate_backend($1)", kept.get_server_pid())
    await admin.close()

    await held.let_go()

    assert await seen_by_the_next(pool) == (None, "auto")
