"""What the fixtures promise to every other test."""

import aio_pika
import asyncpg
import pytest
from pamqp.common import FieldTable
from yarl import URL

from postroad_stack import Stack, eventually, start_stack
from postroad_stack.databases import ROLES, Database, clone, drop
from postroad_stack.vhosts import VhostSupply

QUORUM: FieldTable = {"x-queue-type": "quorum"}


async def databases(stack: Stack) -> set[str]:
    connection = await asyncpg.connect(stack.postgres.dsn)
    try:
        return {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
    finally:
        await connection.close()


async def test_each_service_role_can_log_in_to_a_tests_own_database(database: Database) -> None:
    for role in ROLES:
        connection = await asyncpg.connect(database.dsn(role))
        assert await connection.fetchval("SELECT current_user") == role
        assert await connection.fetchval("SELECT current_database()") == database.name
        await connection.close()
    with pytest.raises(ValueError, match="is none of"):
        database.dsn("postgres")


async def test_what_a_test_writes_no_other_test_sees(
    stack: Stack, database: Database, template_database: Database
) -> None:
    connection = await asyncpg.connect(database.admin_dsn)
    await connection.execute("CREATE TABLE mine ()")
    await connection.close()
    other = await clone(stack.postgres.dsn, template_database)
    connection = await asyncpg.connect(other.admin_dsn)
    assert await connection.fetchval("SELECT to_regclass('mine')") is None
    await connection.close()
    await drop(stack.postgres.dsn, other)


async def test_a_database_is_dropped_from_under_whoever_is_still_connected(
    stack: Stack, template_database: Database
) -> None:
    own = await clone(stack.postgres.dsn, template_database)
    forgotten = await asyncpg.connect(own.admin_dsn)
    await drop(stack.postgres.dsn, own)
    assert own.name not in await databases(stack)
    await eventually(forgotten.is_closed)


@pytest.mark.parametrize("again", [1, 2])
async def test_a_vhost_has_no_queue_of_another_test(vhost: str, again: int) -> None:
    connection = await aio_pika.connect(vhost)
    channel = await connection.channel()
    with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
        await channel.declare_queue("left-behind", passive=True)
    channel = await connection.channel()
    await channel.declare_queue("left-behind", durable=True, arguments=QUORUM)
    await connection.close()


async def test_a_vhost_stays_until_it_is_given_back(stack: Stack) -> None:
    supply = VhostSupply(stack.rabbitmq, batch=2)
    try:
        kept = await supply.take()
        for _ in range(4):
            given_back = await supply.take()
            await supply.give_back(given_back)
        connection = await aio_pika.connect(kept)
        assert not connection.is_closed
        await connection.close()
        for url, there in ((kept, "true"), (given_back, "false")):
            assert there in await stack.rabbitmq.ctl("eval", f'rabbit_vhost:exists(<<"{URL(url).name}">>).')
    finally:
        await supply.aclose()


async def test_who_is_given_servers_passes_them_on_as_they_were_found(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = stack.environment() | {"POSTROAD_STACK_STARTED_BY": "local"}
    for name, value in (found | {"POSTROAD_STACK": "local"}).items():
        monkeypatch.setenv(name, value)
    async with start_stack() as again:
        assert again.environment() == found
