"""Publishing: confirmed or an error, in bounded time, whatever the broker does."""

import time
from collections.abc import Awaitable, Callable

import aio_pika
import pytest
from pamqp.common import FieldTable

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


async def test_many_confirms_are_in_flight_at_once(broker: Broker, queue: Queue, vhost: str) -> None:
    one_by_one = 100
    started = time.perf_counter()
    for number in range(one_by_one):
        await broker.publish(numbered(number))
    alone = (time.perf_counter() - started) / one_by_one

    together_count = 2_000
    started = time.perf_counter()
    await broker.publish_all([numbered(number) for number in range(together_count)])
    together = (time.perf_counter() - started) / together_count

    assert await eventually(_depth_is(vhost, queue.name, one_by_one + together_count))
    assert together * 2 < alone, f"{alone * 1e6:.0f} us each alone, {together * 1e6:.0f} us together"


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


def _parcel_for(queue: str, number: int) -> Parcel:
    return Parcel.of(numbered(number)).to_queue(queue, {})


def _depth_is(url: str, queue: str, expected: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return await depth(url, queue) == expected

    return check
