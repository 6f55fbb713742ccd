"""A broker that dies, hangs or has no memory: publishers get an error in time, everything resumes by itself."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from aiormq.abc import AbstractChannel
from yarl import URL

from postroad_common.amqp import Broker, Consumer, Delivery, PublishError, Queue
from postroad_common.contracts import SequenceStateChangedV1
from postroad_stack.eventually import eventually
from postroad_stack.servers import Stack
from postroad_stack.tcp_proxy import tcp_proxy
from tests.integration.common.messages import numbered

AFTER_RESTART = 60.0
"""Seconds within which everything must run again; a restart takes about six of them."""


@pytest.fixture
async def vhost(private_stack: Stack) -> str:
    """A vhost on servers that may be killed."""
    return await private_stack.rabbitmq.create_vhost(f"test-{time.monotonic_ns()}")


class Seen(Counter[int]):
    """A handler that counts messages by their number."""

    async def __call__(self, delivery: Delivery) -> None:
        assert isinstance(delivery.message, SequenceStateChangedV1)
        self[delivery.message.sequence_id.int] += 1

    def has(self, numbers: Iterable[int]) -> bool:
        return all(number in self for number in numbers)


class Deafened:
    """A broker whose first channel loses its consumer without a word."""

    def __init__(self, broker: Broker, queue: Queue) -> None:
        self._broker = broker
        self._queue = queue
        self.channels = 0
        self.deaf = asyncio.Event()

    @asynccontextmanager
    async def channel(self, *, prefetch: int) -> AsyncIterator[AbstractChannel]:
        self.channels += 1
        async with self._broker.channel(prefetch=prefetch) as channel:
            if self.channels == 1:
                consume = channel.basic_consume

                async def consume_and_lose(*args: Any, **kwargs: Any) -> Any:
                    consuming = await consume(*args, **kwargs)
                    await channel.basic_cancel(consuming.consumer_tag or "")
                    self.deaf.set()
                    return consuming

                channel.basic_consume = consume_and_lose  # type: ignore[method-assign]  # the fault to plant
            yield channel


async def test_publish_ends_in_time_while_blocked_and_consumers_go_on(
    broker: Broker, queue: Queue, private_stack: Stack
) -> None:
    seen = Seen()
    consumer = Consumer(broker, queue, seen, prefetch=10, concurrency=2)
    await broker.publish_all([numbered(n) for n in range(100)])
    await private_stack.rabbitmq.ctl("set_vm_memory_high_watermark", "0.00001")
    try:
        for _ in range(3):
            started = time.perf_counter()
            with pytest.raises(PublishError):
                await broker.publish(numbered(100))
            assert time.perf_counter() - started < 4
        running = asyncio.create_task(consumer.run())
        await eventually(lambda: seen.has(range(100)))
    finally:
        await private_stack.rabbitmq.ctl("set_vm_memory_high_watermark", "absolute", "2GB")

    await eventually(lambda: _publishes(broker, 101), timeout=20)
    await eventually(lambda: seen[101])
    await consumer.stop()
    await running


async def test_a_hung_broker_delays_and_loses_nothing(broker: Broker, queue: Queue, private_stack: Stack) -> None:
    seen = Seen()
    consumer = Consumer(broker, queue, seen, prefetch=10, concurrency=2)
    running = asyncio.create_task(consumer.run())
    await broker.publish(numbered(0))
    await eventually(lambda: seen[0])
    await private_stack.rabbitmq.pause()
    try:
        started = time.perf_counter()
        outcomes = await broker.publish_each([numbered(n) for n in range(1, 501)])
        assert all(isinstance(outcome, PublishError) for outcome in outcomes)
        assert time.perf_counter() - started < 10
    finally:
        await private_stack.rabbitmq.resume()

    await eventually(lambda: _publishes(broker, 1000), timeout=AFTER_RESTART)
    await eventually(lambda: seen[1000], timeout=AFTER_RESTART)
    await consumer.stop()
    await running


async def test_a_killed_broker_loses_nothing_confirmed_and_all_resume_by_themselves(
    broker: Broker, queue: Queue, private_stack: Stack
) -> None:
    seen, confirmed, enough = Seen(), set[int](), asyncio.Event()

    async def publish_on(number: int) -> None:
        while not enough.is_set():
            if await _publishes(broker, number):
                confirmed.add(number)
            else:
                await asyncio.sleep(0.05)
            number += 8

    consumer = Consumer(broker, queue, seen, prefetch=50, concurrency=4)
    async with asyncio.TaskGroup() as group:
        group.create_task(consumer.run())
        for first in range(8):
            group.create_task(publish_on(first))
        await eventually(lambda: len(confirmed) > 500)
        await private_stack.rabbitmq.kill()
        before = len(confirmed)
        await private_stack.rabbitmq.restart()
        await eventually(lambda: len(confirmed) > before + 500, timeout=AFTER_RESTART)
        enough.set()
        await eventually(lambda: confirmed <= seen.keys(), timeout=AFTER_RESTART)
        await consumer.stop()


async def test_a_cut_connection_is_made_again_and_what_was_in_hand_is_given_again(
    queue: Queue, vhost: str, private_stack: Stack
) -> None:
    target = URL(private_stack.rabbitmq.url)
    seen = Seen()
    async with tcp_proxy(target.host or "", target.port or 0) as proxy:
        through = str(URL(vhost).with_port(proxy.port))
        async with await Broker.connect(through, name="test", publish_seconds=2.0) as broker:
            await broker.declare([queue])
            consumer = Consumer(broker, queue, seen, prefetch=50, concurrency=4)
            running = asyncio.create_task(consumer.run())
            for cut in range(5):
                numbers = range(cut * 200, (cut + 1) * 200)
                await broker.publish_all([numbered(n) for n in numbers])
                proxy.cut()
                await eventually(lambda: _publishes(broker, 9999), timeout=20)
                await eventually(partial(seen.has, numbers), timeout=20)
            await consumer.stop()
            await running


async def test_a_half_open_connection_is_noticed_by_the_publisher_in_time(
    queue: Queue, vhost: str, private_stack: Stack
) -> None:
    target = URL(private_stack.rabbitmq.url)
    async with tcp_proxy(target.host or "", target.port or 0) as proxy:
        through = str(URL(vhost).with_port(proxy.port))
        async with await Broker.connect(through, name="test", publish_seconds=1.0) as broker:
            await broker.declare([queue])
            proxy.freeze()
            started = time.perf_counter()
            assert not await _publishes(broker, 1)
            assert time.perf_counter() - started < 3
            proxy.thaw()
            await eventually(lambda: _publishes(broker, 2), timeout=20)


async def test_a_half_open_connection_is_noticed_by_the_consumer_in_time(
    queue: Queue, vhost: str, private_stack: Stack
) -> None:
    target = URL(private_stack.rabbitmq.url)
    seen = Seen()
    async with tcp_proxy(target.host or "", target.port or 0) as proxy:
        through = str(URL(vhost).with_port(proxy.port))
        async with await Broker.connect(through, name="test") as broker:
            await broker.declare([queue])
            consumer = Consumer(broker, queue, seen, prefetch=10, concurrency=1, watch_seconds=0.2)
            running = asyncio.create_task(consumer.run())
            await broker.publish(numbered(1))
            await eventually(lambda: seen[1])
            proxy.freeze()
            await eventually(lambda: not broker.connected, timeout=20)
            proxy.thaw()
            await eventually(lambda: _publishes(broker, 2), timeout=30)
            await eventually(lambda: seen[2], timeout=30)
            await consumer.stop()
            await running


async def test_a_consumer_that_hears_nothing_while_messages_wait_starts_anew(broker: Broker, queue: Queue) -> None:
    seen = Seen()
    deafened = Deafened(broker, queue)
    consumer = Consumer(deafened, queue, seen, prefetch=10, concurrency=1, watch_seconds=0.2)  # type: ignore[arg-type]  # all that a consumer uses
    running = asyncio.create_task(consumer.run())
    await deafened.deaf.wait()

    await broker.publish(numbered(1))

    await eventually(lambda: seen[1], timeout=20)
    assert deafened.channels == 2
    await consumer.stop()
    await running


async def _publishes(broker: Broker, number: int) -> bool:
    try:
        await broker.publish(numbered(number))
    except PublishError:
        return False
    return True
