"""A consumer: takes messages from one queue, a bounded number at once, and answers each of them.

An answer is an ack, always: after success, or after a copy has been confirmed on the retry ladder or in parking.
A message whose process dies, or whose connection ends, is given again by the broker.
"""

import asyncio
from typing import Final

import structlog
from aiormq import abc
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import ChannelNotFoundEntity

from postroad_common.amqp.broker import Broker
from postroad_common.amqp.errors import CONNECTION_ERRORS, BrokerError
from postroad_common.amqp.handling import Handler, Handling
from postroad_common.amqp.link import ended_as_error
from postroad_common.amqp.topology import Queue

WATCH_SECONDS: Final = 15.0
_ANSWER_SECONDS: Final = 5.0
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 3.0

_log = structlog.get_logger()


class Consumer:
    """Consumes one queue until stop(). Survives the broker going away and the queue being deleted."""

    def __init__(
        self,
        broker: Broker,
        queue: Queue,
        handler: Handler,
        *,
        prefetch: int,
        concurrency: int,
        watch_seconds: float = WATCH_SECONDS,
    ) -> None:
        self._broker = broker
        self._queue = queue
        self._prefetch = prefetch
        self._concurrency = concurrency
        self._watch_seconds = watch_seconds
        self._patience_seconds = 0.0
        self._stopping = asyncio.Event()
        self._finished = asyncio.Event()
        self._over = asyncio.Event()
        self._arrived: asyncio.Queue[DeliveredMessage | None] = asyncio.Queue()
        self._arrivals = self._arrivals_at_last_check = 0
        self._busy = 0
        self._workers: list[asyncio.Task[None]] = []
        self._handling = Handling(broker, queue, handler, self._stopping)

    async def run(self) -> None:
        """Consume until stop() has been called and the work in hand is done."""
        try:
            async with asyncio.TaskGroup() as group:
                self._workers = [group.create_task(self._work()) for _ in range(self._concurrency)]
                await self._consume()
                await self._end_workers()
        finally:
            self._finished.set()

    async def stop(self, *, patience_seconds: float = 20.0) -> None:
        """Take nothing more, let the work in hand end, ack it, close. What is not done in time is given again."""
        self._patience_seconds = patience_seconds
        self._stopping.set()
        self._over.set()
        if self._workers:
            await self._finished.wait()

    async def _consume(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            before = self._arrivals
            try:
                with ended_as_error():
                    await self._session()
            except ChannelNotFoundEntity:
                await self._mend_topology()
            except TimeoutError:
                self._broker.give_up_consuming("no answer in time")
            except CONNECTION_ERRORS as error:
                _log.warning("consuming was interrupted", queue=self._queue.name, error=repr(error))
            pause = _FIRST_PAUSE_SECONDS if self._arrivals > before else min(2 * pause, _LONGEST_PAUSE_SECONDS)
            await _wait(self._stopping, pause)

    async def _session(self) -> None:
        """Consume on one channel until it ends, the queue goes away, or stop()."""
        async with self._broker.channel(prefetch=self._prefetch) as channel:
            over = self._over = asyncio.Event()
            channel.closing.add_done_callback(lambda _: over.set())
            channel.on_consumer_cancel_callbacks.add(lambda _: over.set())
            consuming = await channel.basic_consume(self._queue.name, self._arrive, timeout=_ANSWER_SECONDS)
            _log.info("consuming", queue=self._queue.name, prefetch=self._prefetch)
            while not self._stopping.is_set() and not await _wait(over, self._watch_seconds):
                await self._check_hearing(channel)
            if self._stopping.is_set():
                await channel.basic_cancel(consuming.consumer_tag or "", timeout=_ANSWER_SECONDS)
                await self._end_workers()  # before the channel closes: their acks go through it

    async def _check_hearing(self, channel: abc.AbstractChannel) -> None:
        """Raises when the queue is gone, the channel is dead, or messages wait while we hear nothing."""
        before = self._arrivals
        declared = await channel.queue_declare(self._queue.name, passive=True, timeout=_ANSWER_SECONDS)
        waiting = declared.message_count or 0
        idle = self._busy == 0 and self._arrived.empty()
        if waiting and idle and self._arrivals == before and self._arrivals == self._arrivals_at_last_check:
            raise ConnectionError(f"{waiting} messages wait and none arrives")
        self._arrivals_at_last_check = self._arrivals

    async def _mend_topology(self) -> None:
        """Somebody deleted the queue: declare it again."""
        try:
            await self._broker.declare([self._queue])
        except BrokerError as error:
            _log.warning("cannot declare the queue", queue=self._queue.name, error=repr(error))

    async def _arrive(self, raw: DeliveredMessage) -> None:
        self._arrivals += 1
        self._arrived.put_nowait(raw)

    async def _work(self) -> None:
        while (raw := await self._arrived.get()) is not None:
            if not (self._stopping.is_set() or raw.channel.is_closed):  # if so the broker gives it again
                self._busy += 1
                try:
                    await self._handling.answer(raw)
                finally:
                    self._busy -= 1

    async def _end_workers(self) -> None:
        """Let each worker end what it has in hand; those that take too long are cancelled."""
        while not self._arrived.empty():
            self._arrived.get_nowait()
        for _ in self._workers:
            self._arrived.put_nowait(None)
        _, late = await asyncio.wait(self._workers, timeout=self._patience_seconds)
        for worker in late:
            worker.cancel()


async def _wait(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event was set within the time."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
