"""Parked messages, for the operator."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Final

import orjson

from postroad_common.amqp import parking
from postroad_common.amqp.errors import CONNECTION_ERRORS, BrokerError
from postroad_common.amqp.topology import QUEUES
from postroad_common.problems import Problem
from postroad_sequence_api.context import Context
from postroad_sequence_api.errors import NotFoundError
from postroad_sequence_api.models.parking import (
    ParkedMessage,
    ParkedQueue,
    Parking,
    ParkingPick,
    Replayed,
    ReplayNew,
)

_BROKER_SECONDS: Final = 20.0


async def listed(context: Context, pick: ParkingPick) -> Parking:
    """Every work queue with its parked messages, the first of them shown."""
    async with _answering():
        return Parking(
            items=tuple(
                [
                    ParkedQueue(
                        queue=depth.queue, depth=depth.parked, messages=await _shown(context, depth, pick.limit)
                    )
                    for depth in await parking.list_parking(context.broker)
                ]
            )
        )


async def replay(context: Context, new: ReplayNew) -> Replayed:
    """Give parked messages back to their queue."""
    queue = QUEUES.get(new.queue)
    if queue is None:
        raise NotFoundError("queue", field="queue")
    async with _answering():
        return Replayed(queue=queue.name, replayed=await parking.replay(context.broker, queue, new.limit))


async def _shown(context: Context, depth: parking.ParkingDepth, limit: int) -> tuple[ParkedMessage, ...]:
    if depth.parked == 0:
        return ()
    found = await parking.show(context.broker, QUEUES[depth.queue], limit)
    return tuple(_view(one) for one in found)


def _view(one: parking.Parked) -> ParkedMessage:
    return ParkedMessage.of(asdict(one), first_death_at=one.first_failed_at, body=_readable(one.body))


def _readable(body: str) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body


@asynccontextmanager
async def _answering() -> AsyncIterator[None]:
    """Turn a broker that does not answer into 503."""
    try:
        async with asyncio.timeout(_BROKER_SECONDS):
            yield
    except (TimeoutError, BrokerError, *CONNECTION_ERRORS) as error:
        raise Problem(
            503, "unavailable", "The broker does not answer", "Try again later.", headers={"Retry-After": "2"}
        ) from error
