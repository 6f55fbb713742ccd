"""Consuming: every message gets an answer, failures climb the ladder, what cannot be helped is parked."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import aio_pika
import asyncpg
import pytest
from opentelemetry.sdk.trace import SpanProcessor

from postroad_common import telemetry
from postroad_common.amqp import Broker, Consumer, Delivery, Parcel, Poison, Queue, Retry
from postroad_common.amqp.depths import count_queues
from postroad_common.amqp.handling import Handler
from postroad_common.amqp.parking import list_parking, replay, show
from postroad_common.contracts import SequenceStateChangedV1, TrackingHitsV1
from postroad_common.metrics import REGISTRY
from postroad_stack.eventually import eventually
from tests.integration.common.messages import batch, depth, numbered


@asynccontextmanager
async def consuming(
    broker: Broker, queue: Queue, handler: Handler, *, prefetch: int = 20, concurrency: int = 4, watch: float = 15.0
) -> AsyncIterator[Consumer]:
    """A consumer that runs for as long as the block does."""
    consumer = Consumer(broker, queue, handler, prefetch=prefetch, concurrency=concurrency, watch_seconds=watch)
    running = asyncio.create_task(consumer.run())
    try:
        yield consumer
    finally:
        await consumer.stop(patience_seconds=5)
        await running


def number_of(delivery: Delivery) -> int:
    message = delivery.message
    assert isinstance(message, SequenceStateChangedV1)
    return message.sequence_id.int


async def test_a_handled_message_is_gone(broker: Broker, queue: Queue, vhost: str) -> None:
    seen: list[int] = []

    async def handler(delivery: Delivery) -> None:
        seen.append(number_of(delivery))

    await broker.publish_all([numbered(n) for n in range(100)])
    async with consuming(broker, queue, handler):
        await eventually(lambda: len(seen) == 100)

    assert sorted(seen) == list(range(100))
    assert await depth(vhost, queue.name) == 0


async def test_a_failed_message_comes_back_with_its_attempt_counted(broker: Broker, queue: Queue) -> None:
    attempts: list[int] = []

    async def handler(delivery: Delivery) -> None:
        attempts.append(delivery.attempt)
        if delivery.attempt < 3:
            raise ValueError("not yet")

    await broker.publish(numbered(1))
    async with consuming(broker, queue, handler):
        await eventually(lambda: attempts == [1, 2, 3])


async def test_a_retry_that_the_handler_asks_for_is_not_counted(broker: Broker, queue: Queue) -> None:
    attempts: list[int] = []

    async def handler(delivery: Delivery) -> None:
        attempts.append(delivery.attempt)
        if len(attempts) < 7:
            raise Retry("busy", timedelta(milliseconds=10))

    await broker.publish(numbered(1))
    async with consuming(broker, queue, handler):
        await eventually(lambda: attempts == [1] * 7)


async def test_one_bad_message_among_a_thousand_is_parked_and_the_others_are_handled(
    broker: Broker, queue: Queue, vhost: str
) -> None:
    handled: Counter[int] = Counter()

    async def handler(delivery: Delivery) -> None:
        if number_of(delivery) == 500:
            raise RuntimeError("five hundred is beyond me")
        handled[number_of(delivery)] += 1

    await broker.publish_all([numbered(n) for n in range(1000)])
    async with consuming(broker, queue, handler, prefetch=100, concurrency=8):
        await eventually(lambda: depth(vhost, queue.parking), timeout=30)
        await eventually(lambda: len(handled) == 999)

    assert set(handled) == set(range(1000)) - {500}
    assert max(handled.values()) == 1
    (parked,) = await show(broker, queue)
    assert "RuntimeError: five hundred is beyond me" in parked.reason
    assert "in handler" in parked.error
    assert parked.attempt == 4
    assert parked.first_failed_at is not None
    assert str(UUID(int=500)) in parked.body


async def test_a_batch_that_failed_twice_is_split_and_only_its_bad_item_is_parked(
    broker: Broker, queue: Queue, vhost: str
) -> None:
    handled: Counter[str] = Counter()

    async def handler(delivery: Delivery) -> None:
        assert isinstance(delivery.message, TrackingHitsV1)
        urls = [item.url or "" for item in delivery.message.items]
        if any(url.endswith("/7") for url in urls):
            raise RuntimeError("bad item")
        handled.update(urls)

    await broker.publish(batch(10))
    async with consuming(broker, queue, handler):
        await eventually(lambda: depth(vhost, queue.parking), timeout=20)
        await eventually(lambda: len(handled) == 9)

    assert set(handled) == {f"https://example.com/{n}" for n in range(10) if n != 7}
    (parked,) = await show(broker, queue)
    assert parked.body.count("https://") == 1


async def test_poison_is_parked_at_once(broker: Broker, queue: Queue) -> None:
    attempts: list[int] = []

    async def handler(delivery: Delivery) -> None:
        attempts.append(delivery.attempt)
        raise Poison("no such thing")

    await broker.publish(numbered(1))
    async with consuming(broker, queue, handler):
        parked = await eventually(lambda: show(broker, queue))

    assert [message.reason for message in parked] == ["no such thing"]
    assert attempts == [1]


@pytest.mark.parametrize(
    ("type_", "body"), [("sequences.state_changed.v1", b"not json"), ("no.such.type.v1", b"{}"), ("", b"\xff\x00")]
)
async def test_what_is_no_message_of_ours_is_parked_with_the_reason(
    broker: Broker, queue: Queue, type_: str, body: bytes
) -> None:
    async def handler(_: Delivery) -> None:
        raise AssertionError("never called")

    await broker.publish(Parcel(type_, body).to_queue(queue.name, {}))
    async with consuming(broker, queue, handler):
        (parked,) = await eventually(lambda: show(broker, queue))

    assert "no contract" in parked.reason or "not a sequences.state_changed.v1" in parked.reason


async def test_an_outage_is_waited_out_with_the_message_in_hand(broker: Broker, queue: Queue) -> None:
    deliveries: list[Delivery] = []

    async def handler(delivery: Delivery) -> None:
        deliveries.append(delivery)
        if len(deliveries) < 4:
            raise asyncpg.ConnectionDoesNotExistError("gone")

    await broker.publish(numbered(1))
    async with consuming(broker, queue, handler):
        await eventually(lambda: len(deliveries) == 4)

    assert [delivery.attempt for delivery in deliveries] == [1, 1, 1, 1]
    assert [delivery.redelivered for delivery in deliveries] == [False, True, True, True]


async def test_a_message_whose_process_dies_each_time_is_parked_by_the_broker(
    broker: Broker, queue: Queue, vhost: str
) -> None:
    await broker.publish(numbered(1))

    async def take_and_die() -> bool:
        async with await aio_pika.connect(vhost) as connection:
            channel = await connection.channel()
            work = await channel.declare_queue(queue.name, passive=True)
            return await work.get(fail=False) is None

    for _ in range(30):
        await take_and_die()

    (parked,) = await eventually(lambda: show(broker, queue))
    assert parked.reason == "given up by the broker: delivery_limit"


async def test_looking_at_parked_messages_leaves_them_there_and_replaying_gives_them_back(
    broker: Broker, queue: Queue
) -> None:
    mended = False
    handled: list[tuple[int, int]] = []

    async def handler(delivery: Delivery) -> None:
        if not mended:
            raise Poison("broken")
        handled.append((number_of(delivery), delivery.attempt))

    await broker.publish_all([numbered(n) for n in range(5)])
    async with consuming(broker, queue, handler):
        await eventually(lambda: _parked(broker, queue, 5))
        assert len(await show(broker, queue, limit=3)) == 3
        assert await _parked(broker, queue, 5)

        mended = True
        assert await replay(broker, queue, limit=2) == 2
        await eventually(lambda: len(handled) == 2)
        assert await replay(broker, queue) == 3
        await eventually(lambda: len(handled) == 5)

    assert sorted(handled) == [(n, 1) for n in range(5)]
    assert await _parked(broker, queue, 0)


async def test_a_deleted_queue_is_declared_again_and_consuming_resumes(
    broker: Broker, queue: Queue, vhost: str
) -> None:
    seen: list[int] = []

    async def handler(delivery: Delivery) -> None:
        seen.append(number_of(delivery))

    async with consuming(broker, queue, handler):
        await broker.publish(numbered(1))
        await eventually(lambda: seen == [1])
        async with await aio_pika.connect(vhost) as connection:
            channel = await connection.channel()
            await channel.queue_delete(queue.name)
        await eventually(lambda: _consumers(vhost, queue.name))
        await broker.publish(numbered(2))
        await eventually(lambda: seen == [1, 2])


async def test_stop_waits_for_what_is_in_hand_and_gives_back_the_rest(broker: Broker, queue: Queue, vhost: str) -> None:
    begun: list[int] = []
    ended: list[int] = []
    release = asyncio.Event()

    async def handler(delivery: Delivery) -> None:
        begun.append(number_of(delivery))
        await release.wait()
        ended.append(number_of(delivery))

    await broker.publish_all([numbered(n) for n in range(50)])
    async with consuming(broker, queue, handler, prefetch=20, concurrency=3) as consumer:
        await eventually(lambda: len(begun) == 3)
        stopping = asyncio.create_task(consumer.stop(patience_seconds=5))
        release.set()
        await stopping

    assert sorted(ended) == sorted(begun)
    assert len(begun) == 3
    assert await eventually(_depth_is(vhost, queue.name, 47))


async def test_a_handler_that_outlasts_the_patience_is_cancelled_and_its_message_given_again(
    broker: Broker, queue: Queue, vhost: str
) -> None:
    begun = asyncio.Event()

    async def handler(_: Delivery) -> None:
        begun.set()
        await asyncio.Event().wait()

    await broker.publish(numbered(1))
    async with consuming(broker, queue, handler) as consumer:
        await begun.wait()
        await consumer.stop(patience_seconds=0.1)

    assert await eventually(_depth_is(vhost, queue.name, 1))


async def test_what_is_published_while_handling_carries_the_correlation(broker: Broker, queue: Queue) -> None:
    seen: list[str] = []

    async def handler(delivery: Delivery) -> None:
        seen.append(delivery.correlation_id)
        if len(seen) == 1:
            await broker.publish(numbered(2))

    await broker.publish(numbered(1))
    async with consuming(broker, queue, handler):
        await eventually(lambda: len(seen) == 2)

    assert seen[0] == seen[1]


async def test_the_handling_of_a_message_is_part_of_the_trace_that_published_it(broker: Broker, queue: Queue) -> None:
    telemetry.record("test", SpanProcessor(), ratio=1.0)
    handled: list[str | None] = []

    async def handler(delivery: Delivery) -> None:
        handled.append(delivery.traceparent)
        handled.append(telemetry.current_traceparent())

    with telemetry.root_span("request"):
        published = telemetry.current_traceparent()
        await broker.publish(numbered(1))
    async with consuming(broker, queue, handler):
        await eventually(lambda: handled)
    telemetry.shutdown()

    carried, inside = handled
    assert carried == published
    assert published is not None
    assert inside is not None
    assert inside.split("-")[1] == published.split("-")[1]
    assert inside != published


def _depth_is(url: str, queue: str, expected: int) -> Callable[[], object]:
    async def check() -> bool:
        return await depth(url, queue) == expected

    return check


async def _parked(broker: Broker, queue: Queue, expected: int) -> bool:
    (found,) = await list_parking(broker, [queue])
    return found.parked == expected


async def _consumers(url: str, name: str) -> bool:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        try:
            declared = await channel.declare_queue(name, passive=True)
        except aio_pika.exceptions.ChannelNotFoundEntity:
            return False
        return bool(declared.declaration_result.consumer_count)


async def test_the_metrics_show_what_waits_and_what_is_parked_and_nothing_when_the_broker_does_not_say(
    broker: Broker, queue: Queue
) -> None:
    async def handler(_: Delivery) -> None:
        raise Poison("for the test")

    await broker.publish(numbered(1))
    async with consuming(broker, queue, handler):
        await eventually(lambda: _shown(broker, queue, queued=0.0, parked=1.0))
    await broker.publish_all([numbered(2), numbered(3)])
    await eventually(lambda: _shown(broker, queue, queued=2.0, parked=1.0))

    await count_queues(broker, [replace(queue, name="test.never_declared")])

    assert REGISTRY.get_sample_value("postroad_amqp_queued_messages", {"queue": queue.name}) is None
    assert REGISTRY.get_sample_value("postroad_amqp_parked_messages", {"queue": queue.name}) is None


async def _shown(broker: Broker, queue: Queue, *, queued: float, parked: float) -> bool:
    await count_queues(broker, [queue])
    shown = [
        REGISTRY.get_sample_value(f"postroad_amqp_{what}_messages", {"queue": queue.name})
        for what in ("queued", "parked")
    ]
    return shown == [queued, parked]
