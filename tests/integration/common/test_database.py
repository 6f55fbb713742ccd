"""Transactions see the tenants they name and no other, whatever connection they get and whatever goes wrong."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest
from yarl import URL

from postroad_common.clock import database_now
from postroad_common.db import RETRYABLE, check_schema, create_pool, is_retryable, transaction
from postroad_common.errors import DatabaseLostError, SchemaTooOldError
from postroad_common.ids import new_id
from postroad_common.migrations import LOGIN_ROLES, migrate
from postroad_stack.databases import Database
from postroad_stack.servers import Stack
from postroad_stack.tcp_proxy import tcp_proxy

API = "postroad_sequence_api"


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[asyncpg.Pool]:
    """One connection: whoever comes next gets the one just used."""
    async with await create_pool(database.dsn(API), application_name="test", max_size=1) as pool:
        yield pool


async def add_tenant(pool: asyncpg.Pool, tenant_id: UUID) -> None:
    async with transaction(pool, tenant_id) as conn:
        await conn.execute("INSERT INTO sequence.tenants (tenant_id, name) VALUES ($1, 'x')", tenant_id)


async def visible(conn: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy) -> set[UUID]:
    return {row["tenant_id"] for row in await conn.fetch("SELECT tenant_id FROM sequence.tenants")}


async def test_no_tenant_is_seen_where_none_was_set(pool: asyncpg.Pool) -> None:
    tenant = new_id()
    await add_tenant(pool, tenant)

    async with pool.acquire() as conn:
        assert await visible(conn) == set()
    async with transaction(pool, []) as conn:
        assert await visible(conn) == set()
    async with transaction(pool, tenant) as conn:
        assert await visible(conn) == {tenant}


async def test_another_tenants_row_cannot_be_written(pool: asyncpg.Pool) -> None:
    mine, other = new_id(), new_id()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(pool, mine) as conn:
            await conn.execute("INSERT INTO sequence.tenants (tenant_id, name) VALUES ($1, 'x')", other)


async def test_two_tenants_interleaved_on_one_connection_never_see_each_other(pool: asyncpg.Pool) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    tenants = [new_id(), new_id()]
    for tenant in tenants:
        await add_tenant(pool, tenant)

    async def look(tenant: UUID) -> None:
        divisor = chance.choice([0, 1, 1])
        try:
            async with transaction(pool, tenant) as conn:
                await asyncio.sleep(chance.random() / 1000)
                assert await visible(conn) == {tenant}, f"seed {seed}"
                await conn.execute(f"SELECT 1 / {divisor}")
        except asyncpg.DivisionByZeroError:
            async with pool.acquire() as conn:
                assert await visible(conn) == set(), f"seed {seed}"

    await asyncio.gather(*(look(chance.choice(tenants)) for _ in range(400)))


async def test_a_cancelled_transaction_leaves_nothing_behind(pool: asyncpg.Pool) -> None:
    tenant = new_id()
    inside = asyncio.Event()

    async def insert_and_wait() -> None:
        async with transaction(pool, tenant) as conn:
            await conn.execute("INSERT INTO sequence.tenants (tenant_id, name) VALUES ($1, 'x')", tenant)
            inside.set()
            await conn.execute("SELECT pg_sleep(30)")

    task = asyncio.create_task(insert_and_wait())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async with transaction(pool, tenant) as conn:
        assert await visible(conn) == set()


async def test_a_transaction_does_not_nest(pool: asyncpg.Pool) -> None:
    async with transaction(pool, new_id()) as conn:
        with pytest.raises(RuntimeError, match="outer"):
            async with transaction(conn, new_id()):
                pass


async def test_begin_and_the_tenants_cost_one_round_trip(database: Database) -> None:
    target = URL(database.dsn(API))
    async with tcp_proxy(target.host or "", target.port or 0) as proxy:
        trips = 0
        write = asyncio.StreamWriter.write

        def counting(self: asyncio.StreamWriter, data: bytes) -> None:
            nonlocal trips
            trips += data.startswith(b"Q")
            write(self, data)

        conn = await asyncpg.connect(str(target.with_port(proxy.port)))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio.StreamWriter, "write", counting)
            async with transaction(conn, [new_id(), new_id()]):
                began = trips
        await conn.close()
    assert began == 1


@pytest.mark.parametrize("how", ["terminated by the server", "cut on the way"])
async def test_a_lost_connection_is_retryable_and_the_pool_recovers(
    pool: asyncpg.Pool, database: Database, how: str
) -> None:
    target = URL(database.dsn(API))
    async with tcp_proxy(target.host or "", target.port or 0) as proxy:
        dsn = str(target.with_port(proxy.port))
        async with await create_pool(dsn, application_name="test", max_size=1) as fragile:
            for wait in (True, False):
                with pytest.raises(RETRYABLE) as lost:
                    async with transaction(fragile, new_id()) as conn:
                        pid = conn.get_server_pid()
                        if how == "cut on the way":
                            proxy.cut()
                        else:
                            await _terminate(database, pid)
                        if wait:
                            await asyncio.sleep(0.1)
                        await conn.execute("SELECT 1")
                assert is_retryable(lost.value)
                async with transaction(fragile, new_id()) as conn:
                    assert await conn.fetchval("SELECT 1") == 1


async def test_a_server_that_refuses_or_starts_up_is_retryable(private_stack: Stack) -> None:
    dsn = private_stack.postgres.dsn
    async with await create_pool(dsn, application_name="test", max_size=2) as pool:
        await private_stack.postgres.kill()
        restarting = asyncio.create_task(private_stack.postgres.restart())
        errors: list[BaseException] = []
        while True:
            try:
                async with transaction(pool, new_id()) as conn:
                    await conn.fetchval("SELECT 1")
                break
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, DatabaseLostError) as error:
                errors.append(error)
                await asyncio.sleep(0.02)
        await restarting

    assert errors
    assert all(is_retryable(error) for error in errors), errors


async def test_each_login_role_may_have_a_password_of_its_own(private_stack: Stack) -> None:
    passwords = {role: secrets.token_urlsafe(12) for role in LOGIN_ROLES}
    await migrate(private_stack.postgres.dsn, role_password=passwords)

    for role, password in passwords.items():
        as_role = URL(private_stack.postgres.dsn).with_user(role)
        async with await create_pool(str(as_role.with_password(password)), application_name="test", max_size=1) as own:
            await check_schema(own)
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(str(as_role.with_password(passwords[API] + "x")))


async def test_json_values_go_in_and_come_out(pool: asyncpg.Pool) -> None:
    value = {"a": [1, 2.5, None, "ü"], "b": {"c": True}}
    async with pool.acquire() as conn:
        assert await conn.fetchval("SELECT $1::jsonb", value) == value
        assert await conn.fetchval("SELECT $1::jsonb ->> 'a'", value) == '[1, 2.5, null, "ü"]'
        assert await conn.fetchval("SELECT $1::jsonb[]", [value, {}]) == [value, {}]


async def test_the_clock_is_the_databases(pool: asyncpg.Pool, database: Database) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    await admin.execute(
        "CREATE OR REPLACE FUNCTION postroad.now() RETURNS timestamptz LANGUAGE sql STABLE "
        "AS $$ SELECT '2031-01-01 12:00:00+00'::timestamptz $$"
    )
    await admin.close()
    async with pool.acquire() as conn:
        assert (await database_now(conn)).isoformat() == "2031-01-01T12:00:00+00:00"


async def test_a_schema_of_this_build_is_accepted_and_an_older_one_named(
    pool: asyncpg.Pool, database: Database
) -> None:
    await check_schema(pool)
    admin = await asyncpg.connect(database.admin_dsn)
    gone = await admin.fetchval(
        "DELETE FROM schema_migrations WHERE version IN (SELECT max(version) FROM schema_migrations) RETURNING version"
    )
    await admin.close()

    with pytest.raises(SchemaTooOldError, match=gone):
        await check_schema(pool)


async def test_a_database_that_was_never_migrated_is_named_too(stack: Stack) -> None:
    async with await create_pool(stack.postgres.dsn, application_name="test", max_size=1) as pool:
        with pytest.raises(SchemaTooOldError, match="postroad-migrate"):
            await check_schema(pool)


async def _terminate(database: Database, pid: int) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    await admin.execute("SELECT pg_terminate_backend($1)", pid)
    await admin.close()
