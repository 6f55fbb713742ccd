"""This process in the ledger: a row with a heartbeat, on the database's clock."""

import asyncio
import os
import socket
import time
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from asyncpg import Pool

from postroad_common.db import is_retryable, queries
from postroad_common.ids import new_id
from postroad_sender.metrics import EXPIRED

INCARNATIONS = queries("postroad_sender", "incarnations")
_log = structlog.get_logger()
_WITHOUT_SECONDS = 0.2
"""Between tries to begin, while there is no incarnation."""


class Incarnation:
    """Keeps a live incarnation. Once one has expired nothing is claimed until there is a new one.

    Beside the database's clock a local monotonic one is kept: a process that could not renew in time must not believe
    that it may still claim, only because it has not heard otherwise.
    """

    def __init__(self, pool: Pool, *, every: timedelta, lives: timedelta) -> None:
        self._pool = pool
        self._every = every
        self._lives = lives
        self._current: UUID | None = None
        self._beat_at: datetime | None = None
        self._valid_until = 0.0
        self._live = asyncio.Event()

    async def live(self) -> UUID:
        """Give the incarnation to claim with; waits while there is none."""
        while True:
            if self._current is not None and time.monotonic() < self._valid_until:
                return self._current
            self._live.clear()
            await self._live.wait()

    async def run(self) -> None:
        """Beat for ever."""
        while True:
            try:
                await self._beat()
            except Exception as error:
                if not is_retryable(error):
                    raise
                _log.warning("the heartbeat failed: trying again", error=repr(error))
            await asyncio.sleep(self._every.total_seconds() if self._live.is_set() else _WITHOUT_SECONDS)

    async def stop(self) -> None:
        """End in order; only when nothing is left transmitting."""
        if self._current is not None:
            ended, self._current = self._current, None
            await self._pool.execute(INCARNATIONS.stop, ended)

    async def _beat(self) -> None:
        asked_at = time.monotonic()
        if self._current is not None and await self._renew(self._current):
            self._extend(asked_at)
            return
        fresh = new_id()
        beat_at = await self._pool.fetchval(INCARNATIONS.begin, fresh, socket.gethostname(), os.getpid(), self._lives)
        if beat_at is None:
            return  # the database is held: it has no senders
        self._beat_at = beat_at
        if self._current is not None:
            EXPIRED.inc()
            _log.warning("the incarnation expired: going on as another", expired=str(self._current))
        self._current = fresh
        self._extend(asked_at)

    async def _renew(self, incarnation_id: UUID) -> bool:
        """Beat once more. When the last heartbeat is gone from the database, have that held."""
        timeout = self._lives.total_seconds() / 2
        beat_at = await self._pool.fetchval(
            INCARNATIONS.beat, incarnation_id, self._lives, self._beat_at, timeout=timeout
        )
        if beat_at is not None:
            self._beat_at = beat_at
        elif await self._pool.execute(INCARNATIONS.notice_setback, incarnation_id, self._beat_at) == "INSERT 0 1":
            _log.error("the database was put back to an earlier state: it is held", last_heartbeat=self._beat_at)
        return beat_at is not None

    def _extend(self, asked_at: float) -> None:
        self._valid_until = asked_at + self._lives.total_seconds()
        self._live.set()
