"""Batches that load itself makes: what is asked for while a flush is under way goes with the next one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import structlog
from asyncpg import Pool

from postroad_common.db import is_retryable
from postroad_sender.held import HeldConnection

T = TypeVar("T")
R = TypeVar("R")

_log = structlog.get_logger()
_LONGEST_WAIT = 2.0
"""Seconds between tries while the database is away."""

Flush = Callable[[HeldConnection, Sequence[T]], Awaitable[Sequence[R]]]


class Batcher(Generic[T, R]):
    """Runs set-based statements for many callers on a connection of its own.

    While the database is away it keeps everything and tries again: the statements must be idempotent.
    A flush waits up to `linger` seconds for `expected` entries: as many as can come soon.
    """

    def __init__(
        self,
        name: str,
        pool: Pool,
        flush: Flush[T, R],
        *,
        largest: int,
        linger: float = 0.0,
        expected: Callable[[], int] = lambda: 0,
    ) -> None:
        self._name = name
        self._held = HeldConnection(pool)
        self._flush = flush
        self._largest = largest
        self._linger = linger
        self._expected = expected
        self._waiting = 0
        self._calls: deque[tuple[Sequence[T], asyncio.Future[Sequence[R]]]] = deque()
        self._wake = asyncio.Event()

    async def submit(self, entries: Sequence[T]) -> Sequence[R]:
        """Give the entries to the next flush and return its answers, in order."""
        future: asyncio.Future[Sequence[R]] = asyncio.get_running_loop().create_future()
        self._calls.append((entries, future))
        self._waiting += len(entries)
        self._wake.set()
        return await future

    async def run(self) -> None:
        """Flush for ever."""
        try:
            while True:
                if not self._calls:
                    self._wake.clear()
                    await self._wake.wait()
                if self._linger:
                    await self._wait_for_more()
                await self._answer(self._take())
        finally:
            await self._held.let_go()

    def _take(self) -> list[tuple[Sequence[T], asyncio.Future[Sequence[R]]]]:
        taken = [self._calls.popleft()]
        size = len(taken[0][0])
        while self._calls and size + len(self._calls[0][0]) <= self._largest:
            taken.append(self._calls.popleft())
            size += len(taken[-1][0])
        self._waiting -= size
        return taken

    async def _wait_for_more(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._linger
        while self._waiting < min(self._expected(), self._largest) and (left := until - loop.time()) > 0:
            self._wake.clear()
            timer = loop.call_later(left, self._wake.set)
            await self._wake.wait()
            timer.cancel()

    async def _answer(self, calls: list[tuple[Sequence[T], asyncio.Future[Sequence[R]]]]) -> None:
        try:
            answers = await self._persist([entry for entries, _ in calls for entry in entries])
        except Exception as error:  # noqa: BLE001 - whoever asked gets it
            if len(calls) == 1:
                if not calls[0][1].done():
                    calls[0][1].set_exception(error)
                return
            # One caller's data must not fail the others'.
            for call in calls:
                await self._answer([call])
            return
        start = 0
        for entries, future in calls:
            if not future.done():
                future.set_result(answers[start : start + len(entries)])
            start += len(entries)

    async def _persist(self, entries: Sequence[T]) -> Sequence[R]:
        wait = 0.05
        while True:
            try:
                await self._held.note(len(entries))
                return await self._flush(self._held, entries)
            except Exception as error:
                if not is_retryable(error):
                    raise
                _log.warning("the database is away: trying again", batch=self._name, error=repr(error))
                await self._held.let_go()
                await asyncio.sleep(wait)
                wait = min(wait * 2, _LONGEST_WAIT)
