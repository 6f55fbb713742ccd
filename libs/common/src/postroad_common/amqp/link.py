"""One AMQP connection that is made again, by itself, whenever it ends.

The protocol library's own reconnecting layer is not used: here a connection that ends takes everything on it along,
and whoever used it starts afresh on the next one, so there is one state to be in and nothing to restore.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from aiormq import Connection
from yarl import URL

from postroad_common.amqp.errors import BrokerUnavailableError
from postroad_common.metrics import CONNECTED

CONNECT_SECONDS: Final = 10.0
PREPARE_SECONDS: Final = 30.0
CLOSE_SECONDS: Final = 3.0
HEARTBEAT_SECONDS: Final = 10
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 3.0

_log = structlog.get_logger()


class Link:
    """Keeps one connection. prepare runs on each new one before anybody gets it; it may refuse by raising."""

    def __init__(self, url: str, *, name: str, prepare: Callable[[Connection], Awaitable[None]]) -> None:
        self._url = URL(url).update_query(name=name, heartbeat=str(HEARTBEAT_SECONDS))
        self._name = name
        self._prepare = prepare
        self._connection: Connection | None = None
        self._gauge = CONNECTED.labels(name)
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        self._last_error: BaseException | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection to use now."""
        return self._connection is not None

    def start(self) -> None:
        """Begin to connect."""
        self._keeper = asyncio.create_task(self._keep(), name=f"amqp {self._name}")

    async def connection(self) -> Connection:
        """The connection; waits for the next one when there is none. Bound it in time."""
        while self._connection is None:
            self._changed.clear()
            await self._changed.wait()
        return self._connection

    async def first_connection(self, seconds: float) -> None:
        """Wait for the first connection; raises BrokerUnavailableError with the last cause."""
        try:
            async with asyncio.timeout(seconds):
                await self.connection()
        except TimeoutError:
            cause = self._last_error
            raise BrokerUnavailableError(f"no connection to the broker in {seconds:g} s: {cause!r}") from cause

    def recycle(self, reason: str) -> None:
        """Give up the connection in hand; the next one is made at once."""
        if self._connection is not None:
            _log.warning("giving up the connection", link=self._name, reason=reason)
            self._connection = None
            self._gauge.set(0)
            self._ended.set()

    async def close(self) -> None:
        """End the connection for good."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])

    async def _keep(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            connection = Connection(self._url)
            try:
                if await self._open(connection):
                    pause = FIRST_PAUSE_SECONDS
                    await self._use(connection)
            finally:
                self._connection = None
                self._gauge.set(0)
                await _close(connection)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads reconnects, no secret
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _open(self, connection: Connection) -> bool:
        try:
            with ended_as_error():
                async with asyncio.timeout(CONNECT_SECONDS):
                    await connection.connect()
                async with asyncio.timeout(PREPARE_SECONDS):
                    await self._prepare(connection)
        except Exception as error:  # noqa: BLE001 - whatever went wrong: a link that gives up is never made again
            _log.warning("cannot connect to the broker", link=self._name, error=repr(error))
            self._last_error = error
            return False
        return True

    async def _use(self, connection: Connection) -> None:
        self._ended.clear()
        connection.closing.add_done_callback(lambda _: self._ended.set())
        self._connection = connection
        self._gauge.set(1)
        self._changed.set()
        _log.info("connected to the broker", link=self._name)
        await self._ended.wait()
        _log.warning("the connection to the broker ended", link=self._name)


@contextmanager
def ended_as_error() -> Iterator[None]:
    """The protocol library may cancel waiters when a connection ends: make that a ConnectionError, not a stop.

    That one ended during the handshake, as behind a proxy whose broker is starting, it reports by StopAsyncIteration.
    """
    try:
        yield
    except StopAsyncIteration as error:
        raise ConnectionError("the connection ended in the handshake") from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ConnectionError("the connection ended") from error


async def _close(connection: Connection) -> None:
    """Close within a few seconds, whatever state it is in; whoever waits on it gets a ConnectionError."""
    try:
        with ended_as_error():
            async with asyncio.timeout(CLOSE_SECONDS):
                await connection.close(ConnectionError("the connection was given up"))
    except Exception:  # noqa: BLE001 - it is of no use any more
        _log.debug("a connection did not close in order", exc_info=True)
