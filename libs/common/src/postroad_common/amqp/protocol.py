"""Sequences of protocol steps on a channel."""

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog
from aiormq import abc

from postroad_common.amqp.errors import CONNECTION_ERRORS
from postroad_common.amqp.topology import EXCHANGE, Queue

_CLOSE_SECONDS: Final = 3.0

_log = structlog.get_logger()


async def declare_on(channel: abc.AbstractChannel, queues: Iterable[Queue]) -> None:
    """Declare the exchange, the queues with their ladders and parking, and the bindings."""
    await channel.exchange_declare(EXCHANGE, exchange_type="topic", durable=True)
    for queue in queues:
        for name, arguments in queue.declarations():
            await channel.queue_declare(name, durable=True, arguments=dict(arguments))
        for type_ in queue.types:
            await channel.queue_bind(queue.name, EXCHANGE, type_)


async def close_channel(channel: abc.AbstractChannel) -> None:
    """Close a channel in whatever state it is, within a few seconds; what was written to it is sent first."""
    if channel.is_closed:
        return
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await channel.close(ConnectionError("the channel was closed"))
    except CONNECTION_ERRORS:
        _log.debug("a channel did not close in order", exc_info=True)
