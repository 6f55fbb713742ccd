"""What the tests of several services share."""

import aio_pika
import aio_pika.abc
import pytest
import pytest_asyncio

from postroad_common.amqp import Broker, declare_topology
from postroad_common.amqp.topology import QUEUES


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def declared_vhost(module_vhost: str) -> str:
    """The module's vhost with the whole topology."""
    async with await Broker.connect(module_vhost, name="declare") as broker:
        await declare_topology(broker)
    return module_vhost


@pytest.fixture
async def empty_vhost(declared_vhost: str) -> str:
    """The module's vhost with the whole topology, all queues empty: declaring it for each test would take a second."""
    connection = await aio_pika.connect(declared_vhost)
    async with connection:
        channel = await connection.channel()
        while await _purge(channel):
            pass
    return declared_vhost


async def _purge(channel: aio_pika.abc.AbstractChannel) -> int:
    """Purge what has messages, ladders first, since they give theirs back; how many messages there were."""
    purged = 0
    for queue in QUEUES.values():
        for name in (*map(queue.retry, queue.rungs), queue.name, queue.parking):
            left = await channel.declare_queue(name, passive=True)
            if left.declaration_result.message_count:
                purged += left.declaration_result.message_count
                await left.purge()
    return purged
