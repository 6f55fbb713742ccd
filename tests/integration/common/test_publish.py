"""Publishing: confirmed or an error, in bounded time, whatever the broker does."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aio_pika
import pytest
from pamqp.common import FieldTable
from yarl import URL

from postroad_common.amqp import Broker, Parcel, PublishError, Queue, TopologyError, UnroutableError
from postroad_stack.eventually import eventually
from tests.integration.common.messages import depth, numbered


async def test_a_confirmed_message_is_in_the_queue(broker: Broker, queue: Queue, vhost: str) -> None:
    await broker.publish(numbered(1))

    assert await eventually(lambda: depth(vhost, queue.name)) == 1


async def test_a_message_that_no_queue_takes_is_an_error(broker: Broker, queue: Queue, vhost: str) -> None:
    async with await aio_pika.connect(vhost) as connection:
        channel = await connection.channel()
        await channel.queue_delete(queue.name)

    with pytest.raises(UnroutableError):
        await broker.publish(numbered(1))


async def test_a_deleted_queue_is_there_again_for_the_next_message(broker: Broker, queue: Queue, vhost: str) -> None:
    async with await aio_pika.connect(vhost) as connection:
        channel = await connection.channel()
        await channel.queue_delete(queue.name)
    with pytest.raises(UnroutableError):
        await broker.publish(numbered(1))

    await broker.publish(numbered(2))

    assert await eventually(lambda: depth(vhost, queue.name)) == 1


async def test_a_deleted_exchange_is_there_again_for_the_next_message(broker: Broker, queue: Queue, vhost: str) -> None:
    async with await aio_pika.connect(vhost) as connection:
        channel = await connection.channel()
        await channel.exchange_delete("postroad")
    with pytest.raises(PublishError):
        await broker.publish(numbered(1))

    await broker.publish(numbered(2))

    assert await eventually(lambda: depth(vhost, queue.name)) == 1


async def test_a_full_queue_refuses_and_the_publisher_learns_it(broker: Broker, vhost: str) -> None:
    async with await aio_pika.connect(vhost) as connection:
        channel = await connection.channel()
        arguments: FieldTable = {"x-queue-type": "quorum", "x-max-length": 5, "x-overflow": "reject-publish"}
        full = await channel.declare_queue("full", durable=True, arguments=arguments)
        await full.bind("postroad", "full.test")
        errors: list[PublishError] = []
        for number in range(50):
            try:
                parcel = _parcel_for("full", number)
                await broker.publish(parcel)
            except PublishError as error:
                errors.append(error)

    assert errors
    assert "refused" in str(errors[0])


async def test_at_least_a_hundred_confirms_are_in_flight_at_once(queue: Queue, vhost: str) -> None:
    count, way = 1_000, 0.05
    async with (
        far_away(vhost, way) as url,
        await Broker.connect(url, name="test") as broker,
    ):
        await broker.declare([queue])
        started = time.perf_counter()
        await broker.publish_all([numbered(number) for number in range(count)])
        took = time.perf_counter() - started

    assert await eventually(_depth_is(vhost, queue.name, count))
    assert took < count * 2 * way / 10, "ten at once would take as long"


async def test_a_queue_that_exists_otherwise_is_named_and_not_used(broker: Broker, vhost: str) -> None:
    async with await aio_pika.connect(vhost) as connection:
        channel = await connection.channel()
        await channel.declare_queue("older", durable=True, arguments={"x-queue-type": "quorum"})

    with pytest.raises(TopologyError, match="older"):
        await broker.declare([Queue("older", ())])

    await broker.publish(numbered(1))


async def test_many_lost_messages_mend_the_topology_together(broker: Broker, queue: Queue, vhost: str) -> None:
    async with await aio_pika.connect(vhost) as connection:
        channel = await connection.channel()
        await channel.queue_delete(queue.name)

    outcomes = await broker.publish_each([numbered(n) for n in range(500)])

    taken = sum(outcome is None for outcome in outcomes)
    assert taken < 500
    await eventually(_depth_is(vhost, queue.name, taken))


async def test_each_outcome_is_told_for_itself(broker: Broker) -> None:
    good, lost = numbered(1), _parcel_for("nowhere", 2)

    outcomes = await broker.publish_each([good, lost, numbered(3)])

    assert [type(outcome) for outcome in outcomes] == [type(None), UnroutableError, type(None)]


@asynccontextmanager
async def far_away(url: str, way: float) -> AsyncIterator[str]:
    """The broker's address at a distance: each direction takes `way` seconds, however much is under way."""
    target, pipes, writers = URL(url), list[asyncio.Task[None]](), list[asyncio.StreamWriter]()
    later = asyncio.get_running_loop().call_later

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            later(way, writer.write, data)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(target.host, target.port)
        writers.extend((writer, upstream_writer))
        pipes.append(asyncio.create_task(pump(reader, upstream_writer)))
        pipes.append(asyncio.create_task(pump(upstream_reader, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield str(target.with_port(server.sockets[0].getsockname()[1]))
        for pipe in pipes:
            pipe.cancel()
        for writer in writers:
            writer.close()
        await asyncio.gather(*pipes, *(writer.wait_closed() for writer in writers), return_exceptions=True)


def _parcel_for(queue: str, number: int) -> Parcel:
    return Parcel.of(numbered(number)).to_queue(queue, {})


def _depth_is(url: str, queue: str, expected: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return await depth(url, queue) == expected

    return check
