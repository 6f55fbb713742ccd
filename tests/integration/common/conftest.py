"""A broker connection and a short-laddered queue for the tests of the common package."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from postroad_common.amqp import Broker, Queue
from postroad_common.amqp.topology import Rung

SHORT_LADDER = (
    Rung("50ms", timedelta(milliseconds=50)),
    Rung("100ms", timedelta(milliseconds=100)),
    Rung("200ms", timedelta(milliseconds=200)),
)


@pytest.fixture
def queue() -> Queue:
    """Takes the sequence and tracking messages that tests publish; its ladder takes a third of a second."""
    return Queue("test.work", ("sequences.state_changed.v1", "tracking.hits.v1"), rungs=SHORT_LADDER)


@pytest.fixture
async def broker(vhost: str, queue: Queue) -> AsyncIterator[Broker]:
    """Connected, the queue declared."""
    async with await Broker.connect(vhost, name="test", publish_seconds=2.0) as broker:
        await broker.declare([queue])
        yield broker
