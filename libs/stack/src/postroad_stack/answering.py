"""Does a server answer? Real handshakes, never a bare open port."""

import asyncio
import contextlib
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
    """True if an AMQP connection to the address's vhost can be opened within `limit` seconds."""
    host, port = _endpoint(url)
    if not await _accepts(host, port):
        return False
    try:
        connection = await aio_pika.connect(url, timeout=limit)
    except (OSError, TimeoutError, AMQPError):
        return False
    await connection.close()
    return True


async def _accepts(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), timeout=2.0)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def _endpoint(url: str) -> tuple[str, int]:
    address = URL(url)
    return address.host or "127.0.0.1", address.port or (5671 if address.scheme == "amqps" else 5672)
