"""Parked messages: how many, what they say, and giving them back to the queue they came from."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from aiormq import abc
from aiormq.abc import DeliveredMessage
from pamqp import commands as spec

from postroad_common.amqp.broker import Broker
from postroad_common.amqp.delivery import attempt_of, parcel_of
from postroad_common.amqp.topology import QUEUES, Queue
from postroad_common.amqp.wire import ATTEMPT, ERROR, FIRST_FAILED_AT, PARKED_AT, REASON, TRACEPARENT

_ANSWER_SECONDS: Final = 5.0
_DEAD_LETTERED_FOR: Final = "x-first-death-reason"


@dataclass(frozen=True, slots=True)
class ParkingDepth:
    """How many messages a parking queue holds."""

    queue: str
    """The work queue that the messages belong to."""
    parked: int


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked message: the full original, and why it is here."""

    message_id: str
    type: str
    body: str
    attempt: int
    reason: str
    error: str
    first_failed_at: str | None
    parked_at: str | None
    correlation_id: str | None


async def list_parking(broker: Broker, queues: Iterable[Queue] = QUEUES.values()) -> list[ParkingDepth]:
    """Each work queue with the number of its parked messages. Raises CONNECTION_ERRORS."""
    async with broker.channel(prefetch=1) as channel:
        return [ParkingDepth(queue.name, await _depth(channel, queue)) for queue in queues]


async def show(broker: Broker, queue: Queue, limit: int = 20) -> list[Parked]:
    """The first parked messages of a queue; they stay where they are."""
    async with broker.channel(prefetch=0) as channel:  # closing it gives back what is not acked
        shown: list[Parked] = []
        while len(shown) < limit and (raw := await _take(channel, queue)) is not None:
            shown.append(_describe(raw))
        return shown


async def replay(broker: Broker, queue: Queue, limit: int | None = None) -> int:
    """Give parked messages, oldest first, back to their queue as first attempts; the number given back.

    None: as many as there are now. A message leaves parking only when its copy is confirmed; raises PublishError.
    """
    async with broker.channel(prefetch=0) as channel:
        todo = await _depth(channel, queue)
        todo = todo if limit is None else min(todo, limit)
        done = 0
        while done < todo and (raw := await _take(channel, queue)) is not None:
            parcel = parcel_of(raw)
            kept = {name: value for name, value in parcel.headers.items() if name == TRACEPARENT}
            await broker.publish(parcel.to_queue(queue.name, kept | {ATTEMPT: 1}))
            await channel.basic_ack(raw.delivery_tag or 0, wait=False)
            done += 1
        return done


async def _depth(channel: abc.AbstractChannel, queue: Queue) -> int:
    declared = await channel.queue_declare(queue.parking, passive=True, timeout=_ANSWER_SECONDS)
    return declared.message_count or 0


async def _take(channel: abc.AbstractChannel, queue: Queue) -> DeliveredMessage | None:
    raw = await channel.basic_get(queue.parking, timeout=_ANSWER_SECONDS)
    return None if isinstance(raw.delivery, spec.Basic.GetEmpty) else raw


def _describe(raw: DeliveredMessage) -> Parked:
    parcel = parcel_of(raw)
    headers = parcel.headers
    return Parked(
        message_id=parcel.message_id,
        type=parcel.type,
        body=parcel.body.decode(errors="replace"),
        attempt=attempt_of(headers),
        reason=_text(headers.get(REASON)) or f"given up by the broker: {_text(headers.get(_DEAD_LETTERED_FOR))}",
        error=_text(headers.get(ERROR)) or "",
        first_failed_at=_text(headers.get(FIRST_FAILED_AT)),
        parked_at=_text(headers.get(PARKED_AT)),
        correlation_id=parcel.correlation_id,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
