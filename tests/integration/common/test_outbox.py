"""The outbox: a message leaves exactly when its change is committed, and none is lost on the way."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import aio_pika
import asyncpg
import pytest
from yarl import URL

from postroad_common.amqp import Broker, Consumer, Delivery, Queue
from postroad_common.contracts import Message, SequenceStateChangedV1
from postroad_common.db import create_pool, transaction
from postroad_common.ids import new_id
from postroad_common.metrics import REGISTRY
from postroad_common.outbox import Relay, enqueue
from postroad_stack.databases import Database
from postroad_stack.eventually import eventually
from postroad_stack.process import Process
from postroad_stack.tcp_proxy import tcp_proxy

PROCESS = Path(__file__).with_name("relay_process.py")


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[asyncpg.Pool]:
    dsn = database.dsn("postroad_sequence_api")
    async with await create_pool(dsn, application_name="test", max_size=4) as pool:
        yield pool


class Received(Counter[UUID]):
    """Counts messages by their sequence id."""

    async def __call__(self, delivery: Delivery) -> None:
        assert isinstance(delivery.message, SequenceStateChangedV1)
        self[delivery.message.sequence_id] += 1

    def grew_past(self, size: int) -> bool:
        return len(self) > size


@asynccontextmanager
async def receiving(broker: Broker, queue: Queue) -> AsyncIterator[Received]:
    received = Received()
    consumer = Consumer(broker, queue, received, prefetch=100, concurrency=4)
    running = asyncio.create_task(consumer.run())
    yield received
    await consumer.stop()
    await running


@asynccontextmanager
async def relaying(pool: asyncpg.Pool, broker: Broker, *, poll: float = 0.05) -> AsyncIterator[Relay]:
    relay = Relay(pool, broker, "sequence", poll=timedelta(seconds=poll))
    stopping = asyncio.Event()
    running = asyncio.create_task(relay.run(stopping))
    yield relay
    stopping.set()
    await running


def messages(tenant_id: UUID, count: int) -> list[SequenceStateChangedV1]:
    return [SequenceStateChangedV1(tenant_id=tenant_id, sequence_id=new_id()) for _ in range(count)]


async def write(pool: asyncpg.Pool, tenant_id: UUID, listed: Iterable[Message]) -> None:
    async with transaction(pool, tenant_id) as conn:
        await enqueue(conn, "sequence", listed)


async def left(pool: asyncpg.Pool, tenants: Iterable[UUID]) -> int:
    async with transaction(pool, tenants) as conn:
        count: int = await conn.fetchval("SELECT count(*) FROM sequence.outbox")
        return count


async def test_a_committed_message_is_published_and_an_uncommitted_one_never(
    pool: asyncpg.Pool, broker: Broker, queue: Queue
) -> None:
    tenant = new_id()
    kept, dropped = messages(tenant, 3), messages(tenant, 3)
    async with receiving(broker, queue) as received, relaying(pool, broker):
        with pytest.raises(LookupError):
            async with transaction(pool, tenant) as conn:
                await enqueue(conn, "sequence", dropped)
                raise LookupError
        await write(pool, tenant, kept)
        await eventually(lambda: len(received) == 3)
        await eventually(lambda: _is_empty(pool, [tenant]))

    assert set(received) == {message.sequence_id for message in kept}


async def test_a_relay_that_is_woken_does_not_wait_for_its_poll(
    pool: asyncpg.Pool, broker: Broker, queue: Queue
) -> None:
    tenant = new_id()
    async with receiving(broker, queue) as received, relaying(pool, broker, poll=60) as relay:
        await write(pool, tenant, messages(tenant, 1))
        relay.wake()
        await eventually(lambda: len(received) == 1, timeout=5)


async def test_many_tenants_are_relayed_side_by_side(pool: asyncpg.Pool, broker: Broker, queue: Queue) -> None:
    tenants = [new_id() for _ in range(120)]
    for tenant in tenants:
        await write(pool, tenant, messages(tenant, 2))
    async with receiving(broker, queue) as received, relaying(pool, broker):
        await eventually(lambda: len(received) == 240, timeout=20)

    assert await left(pool, tenants) == 0


@pytest.mark.prove
@pytest.mark.parametrize("point", ["relay.published", "relay.deleted"])
async def test_a_relay_killed_between_confirm_and_delete_loses_nothing(
    pool: asyncpg.Pool, broker: Broker, queue: Queue, database: Database, vhost: str, tmp_path: Path, point: str
) -> None:
    tenant = new_id()
    written = messages(tenant, 3000)
    await write(pool, tenant, written)
    argv = [sys.executable, str(PROCESS), database.dsn("postroad_sequence_api"), vhost]

    async with receiving(broker, queue) as received:
        for kill in range(2):
            doomed = Process([*argv, f"{point}:{1 + kill}"], log=tmp_path / "relay.log")
            assert await doomed.wait(30) == -9, doomed.log_tail()
        async with relaying(pool, broker):
            await eventually(lambda: len(received) == 3000, timeout=30)
            await eventually(lambda: _is_empty(pool, [tenant]))

    assert set(received) == {message.sequence_id for message in written}
    if point == "relay.published":
        assert max(received.values()) > 1, "the kills fell after the deletes"


async def test_a_connection_cut_under_the_relay_loses_nothing(
    pool: asyncpg.Pool, broker: Broker, queue: Queue, vhost: str
) -> None:
    tenant = new_id()
    written = messages(tenant, 4000)
    target = URL(vhost)
    async with (
        receiving(broker, queue) as received,
        tcp_proxy(target.host or "", target.port or 0) as proxy,
        await Broker.connect(str(target.with_port(proxy.port)), name="test", publish_seconds=2.0) as fragile,
        relaying(pool, fragile),
    ):
        await write(pool, tenant, written)
        for _ in range(4):
            await eventually(partial(received.grew_past, len(received)), timeout=30)
            proxy.cut()
        await eventually(lambda: _is_empty(pool, [tenant]), timeout=60)
        await eventually(lambda: len(received) == 4000, timeout=30)

    assert set(received) == {message.sequence_id for message in written}


async def test_a_queue_deleted_under_the_relay_costs_no_row(
    pool: asyncpg.Pool, broker: Broker, queue: Queue, vhost: str
) -> None:
    tenant = new_id()
    async with await aio_pika.connect(vhost) as connection:
        channel = await connection.channel()
        await channel.queue_delete(queue.name)
    await write(pool, tenant, messages(tenant, 50))

    async with relaying(pool, broker), receiving(broker, queue) as received:
        await eventually(lambda: len(received) == 50, timeout=20)
        await eventually(lambda: _is_empty(pool, [tenant]))


async def test_a_message_keeps_the_trace_it_was_written_in(pool: asyncpg.Pool, broker: Broker, queue: Queue) -> None:
    tenant, traceparent = new_id(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    seen: list[str | None] = []

    async def handler(delivery: Delivery) -> None:
        seen.append(delivery.traceparent)

    async with transaction(pool, tenant) as conn:
        await enqueue(conn, "sequence", messages(tenant, 1), traceparent=traceparent)
    consumer = Consumer(broker, queue, handler, prefetch=1, concurrency=1)
    running = asyncio.create_task(consumer.run())
    async with relaying(pool, broker):
        await eventually(lambda: seen == [traceparent])
    await consumer.stop()
    await running


async def _is_empty(pool: asyncpg.Pool, tenants: Iterable[UUID]) -> bool:
    return await left(pool, tenants) == 0


async def test_the_metrics_show_how_long_the_oldest_message_has_waited(
    pool: asyncpg.Pool, broker: Broker, queue: Queue
) -> None:
    def shown() -> float | None:
        return REGISTRY.get_sample_value("postroad_outbox_oldest_seconds", {"schema": "sequence"})

    tenants = [new_id(), new_id()]
    relay = Relay(pool, broker, "sequence")
    for tenant in tenants:
        await write(pool, tenant, messages(tenant, 2))
    async with transaction(pool, tenants[1]) as conn:
        await conn.execute("UPDATE sequence.outbox SET created_at = created_at - interval '1 hour'")

    await relay.look()
    assert 3600 <= (shown() or 0) < 4000
    while await relay.relay_some():
        pass
    await relay.look()
    assert shown() == 0
