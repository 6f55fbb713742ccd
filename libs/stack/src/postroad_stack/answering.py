"""Does a server answer? Real handshakes, never a bare open port."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aio_pika
import asyncpg
from aio_pika.exceptions import AMQPError
from yarl import URL

from postroad_stack.errors import StartError

T = TypeVar("T")

POLL = 0.05
"""Seconds between two looks."""

PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
METHOD_FRAME = b"\x01"


async def until_answering(ask: Callable[[], Awaitable[T]], *, limit: float, accept: Callable[[T], bool]) -> T:
    """Ask until the answer is accepted and return it; StartError after `limit` seconds."""
    deadline = time.monotonic() + limit
    while True:
        answer = await ask()
        if accept(answer):
            return answer
        if time.monotonic() > deadline:
            raise StartError(f"no answer within {limit:g} s")
        await asyncio.sleep(POLL)


async def postgres_answers(dsn: str, *, limit: float = 3.0) -> bool:
    """True if a session can be opened within `limit` seconds."""
    try:
        connection = await asyncpg.connect(dsn, timeout=limit, command_timeout=limit)
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
        return False
    await connection.close(timeout=limit)
    return True


async def amqp_answers(url: str, *, limit: float = 5.0) -> bool:
    """True if an AMQP connection to the address's vhost can be opened within `limit` seconds.

    The greeting is looked at first, because aio-pika leaves a warning behind when it is hung up on.
    """
    address = URL(url)
    if address.scheme == "amqp" and not await _greets(address.host or "", address.port or 5672, limit):
        return False
    try:
        connection = await aio_pika.connect(url, timeout=limit)
    except (OSError, TimeoutError, AMQPError):
        return False
    await connection.close()
    return True


async def _greets(host: str, port: int, limit: float) -> bool:
    """True if whoever listens answers a protocol header with a frame (AMQP 0-9-1, 4.2.2)."""
    try:
        async with asyncio.timeout(limit):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(PROTOCOL_HEADER)
                return await reader.readexactly(1) == METHOD_FRAME
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
