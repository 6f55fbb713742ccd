"""Servers of our own can be killed, hung and brought back with what they had."""

import asyncio

import aio_pika
import asyncpg
import pytest
from aio_pika import DeliveryMode, Message
from pamqp.common import FieldTable

from postroad_stack import Stack, StartError, start_stack
from postroad_stack.answering import amqp_answers, postgres_answers

QUORUM: FieldTable = {"x-queue-type": "quorum"}


async def publish(url: str, body: bytes) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("kept", durable=True, arguments=QUORUM)
        await channel.default_exchange.publish(
            Message(body, delivery_mode=DeliveryMode.PERSISTENT), routing_key=queue.name, timeout=20
        )


async def consume(url: str) -> bytes:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("kept", durable=True, arguments=QUORUM)
        async with asyncio.timeout(20), queue.iterator() as messages:
            async for message in messages:
                await message.ack()
                return message.body
    raise AssertionError("the iterator ended")


async def test_postgresql_comes_back_from_a_kill_with_what_was_committed(private_stack: Stack) -> None:
    server = private_stack.postgres
    connection = await asyncpg.connect(server.dsn)
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    await server.kill()
    try:
        assert not await postgres_answers(server.dsn)
        with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)):
            await connection.fetchval("SELECT 1")
    finally:
        await server.restart()
    connection = await asyncpg.connect(server.dsn)
    assert await connection.fetchval("SELECT n FROM kept") == 7
    await connection.close()


async def test_rabbitmq_comes_back_from_a_kill_with_what_was_confirmed(private_stack: Stack) -> None:
    broker = private_stack.rabbitmq
    await publish(broker.url, b"confirmed")
    await broker.sync()
    await broker.kill()
    try:
        assert not await amqp_answers(broker.url)
    finally:
        await broker.restart()
    assert await consume(broker.url) == b"confirmed"


async def test_a_paused_server_is_hung_and_goes_on_after(private_stack: Stack) -> None:
    for server, answers, address in (
        (private_stack.postgres, postgres_answers, private_stack.postgres.dsn),
        (private_stack.rabbitmq, amqp_answers, private_stack.rabbitmq.url),
    ):
        await server.pause()
        try:
            assert not await answers(address, limit=0.5)
        finally:
            await server.resume()
        assert await answers(address, limit=10)


@pytest.mark.prove
async def test_a_cluster_of_three_goes_on_without_one_of_them() -> None:
    async with start_stack(rabbitmq_nodes=3) as stack:
        broker = stack.rabbitmq
        assert len(set(broker.nodes)) == 3
        await publish(broker.nodes[2], b"before")
        await broker.sync()
        await broker.kill(0)
        assert await consume(broker.nodes[1]) == b"before"
        await broker.restart(0)
        await publish(broker.nodes[0], b"after")
        assert await consume(broker.nodes[2]) == b"after"


async def test_a_start_that_fails_says_why_in_the_servers_own_words() -> None:
    with pytest.raises(StartError, match='unrecognized configuration parameter "nonsense"'):
        async with start_stack(postgres_settings={"nonsense": "1"}):
            pass
