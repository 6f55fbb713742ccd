"""How many messages wait in the queues, for the metrics."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from aiormq import abc

from postroad_common.amqp.broker import Broker
from postroad_common.amqp.errors import CONNECTION_ERRORS
from postroad_common.amqp.topology import QUEUES, Queue
from postroad_common.metrics import PARKED, QUEUED

COUNT: Final = timedelta(seconds=15)
"""How often the queues are counted."""

_ANSWER_SECONDS: Final = 5.0


async def count_queues(broker: Broker, queues: Iterable[Queue] = QUEUES.values()) -> None:
    """Show each work queue's depth and that of its parking; nothing at all while the broker does not say."""
    try:
        async with broker.channel(prefetch=1) as channel:
            depths = [(q.name, await _depth(channel, q.name), await _depth(channel, q.parking)) for q in queues]
    except CONNECTION_ERRORS:  # a number that is no longer true would be worse than none
        QUEUED.clear()
        PARKED.clear()
        return
    for name, queued, parked in depths:
        QUEUED.labels(name).set(queued)
        PARKED.labels(name).set(parked)


async def _depth(channel: abc.AbstractChannel, name: str) -> int:
    declared = await channel.queue_declare(name, passive=True, timeout=_ANSWER_SECONDS)
    return declared.message_count or 0
