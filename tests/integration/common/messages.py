"""Messages to publish, and a look at queues from outside the code under test."""

from uuid import UUID

import aio_pika

from postroad_common.contracts import SequenceStateChangedV1, TrackingHit, TrackingHitsV1
from postroad_common.ids import new_id

TENANT = UUID("11111111-1111-7111-8111-111111111111")


def numbered(number: int) -> SequenceStateChangedV1:
    """A message that can be told from others by its number."""
    return SequenceStateChangedV1(tenant_id=TENANT, sequence_id=UUID(int=number))


def batch(size: int) -> TrackingHitsV1:
    """A message with items, told apart by their addresses."""
    hits = [
        TrackingHit(
            event_id=new_id(),
            kind="click",
            message_id=new_id(),
            received_at="2026-11-22T10:00:00Z",
            url=f"https://example.com/{number}",
        )
        for number in range(size)
    ]
    return TrackingHitsV1(tenant_id=TENANT, items=tuple(hits))


async def depth(url: str, queue: str) -> int:
    """Messages ready in a queue."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        declared = await channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0
