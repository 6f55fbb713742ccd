"""One message from delivery to answer: the handler, patience with servers that are away, and the fate of failures."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, assert_never

import structlog
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import ChannelInvalidStateError
from opentelemetry.trace import SpanKind

from postroad_common.amqp.broker import Broker
from postroad_common.amqp.delivery import Delivery, attempt_of, parcel_of, read
from postroad_common.amqp.errors import PublishError
from postroad_common.amqp.fate import Again, Fate, Park, Split, decide_fate, outage
from postroad_common.amqp.topology import Queue
from postroad_common.amqp.wire import ATTEMPT, CORRELATION_ID, ERROR, FIRST_FAILED_AT, PARKED_AT, REASON, Parcel
from postroad_common.loops import is_outage
from postroad_common.metrics import HANDLED, HANDLING, IN_HAND
from postroad_common.telemetry import span

Handler = Callable[[Delivery], Awaitable[None]]

OUTAGE_SECONDS: Final = 30.0
"""How long a message stays in hand while the database or the broker is away, before it goes on the ladder."""

_ACK_SECONDS: Final = 5.0

_BROKERS_OWN: Final = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count")

_log = structlog.get_logger()


class Handling:
    """Handles and answers the messages of one queue. One for all of a consumer's workers."""

    def __init__(self, broker: Broker, queue: Queue, handler: Handler, stopping: asyncio.Event) -> None:
        self._broker = broker
        self._queue = queue
        self._handler = handler
        self._stopping = stopping
        self._seconds = HANDLING.labels(queue.name)
        self._in_hand = IN_HAND.labels(queue.name)

    async def answer(self, raw: DeliveredMessage) -> None:
        """Handle one message and answer it; unanswered, for the broker to give again, only when we are stopping."""
        with self._in_hand.track_inprogress():
            parcel = parcel_of(raw)
            fate = await self._attempt(parcel, redelivered=bool(getattr(raw.delivery, "redelivered", False)))
            if fate is None or await self._pass_on(fate, parcel, raw):
                await self._ack(raw, "done" if fate is None else _label(fate))

    async def _attempt(self, parcel: Parcel, *, redelivered: bool) -> Fate | None:
        attempt, items = attempt_of(parcel.headers), 0
        token = CORRELATION_ID.set(parcel.correlation_id or parcel.message_id)
        try:
            delivery = read(parcel, redelivered=redelivered or attempt > 1)
            items = len(getattr(delivery.message, "items", ()))
            with span(f"handle {parcel.type}", parent=delivery.traceparent, kind=SpanKind.CONSUMER):
                await self._handle(delivery)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, the message gets an answer
            fate = self._fate(error, attempt, items)
            _log_failure(self._queue.name, parcel, fate, error)
            return fate
        finally:
            CORRELATION_ID.reset(token)
        return None

    async def _handle(self, delivery: Delivery) -> None:
        """Call the handler, and while a server is away call it again, for a bounded time."""
        loop = asyncio.get_running_loop()
        give_up_at, pause = loop.time() + OUTAGE_SECONDS, 0.1
        while True:
            try:
                with self._seconds.time():
                    return await self._handler(delivery)
            except Exception as error:
                if not is_outage(error) or loop.time() >= give_up_at or self._stopping.is_set():
                    raise
                _log.warning("a server is away: trying again", queue=self._queue.name, error=repr(error))
            await self._rest(pause)
            pause = min(2 * pause, 2.0)
            delivery = replace(delivery, redelivered=True)

    def _fate(self, error: Exception, attempt: int, items: int) -> Fate:
        if is_outage(error):
            return outage(self._queue, attempt, error)
        return decide_fate(error, queue=self._queue, attempt=attempt, items=items)

    async def _pass_on(self, fate: Fate, parcel: Parcel, raw: DeliveredMessage) -> bool:
        """Publish what the fate asks for; False when the message is no longer ours to answer."""
        copies, pause = _copies(fate, parcel, self._queue), 0.1
        while not raw.channel.is_closed:
            try:
                await self._broker.publish_all(copies)
            except PublishError as error:
                _log.warning("cannot pass a message on yet", queue=self._queue.name, error=str(error))
            else:
                return True
            if self._stopping.is_set():
                return False
            await self._rest(pause)
            pause = min(2 * pause, 2.0)
        return False

    async def _ack(self, raw: DeliveredMessage, fate: str) -> None:
        tag = raw.delivery_tag
        try:
            async with asyncio.timeout(_ACK_SECONDS):  # a connection that just died takes no more frames
                await raw.channel.basic_ack(tag or 0, wait=False)
        except ChannelInvalidStateError:
            return  # the broker gives it again: handlers are idempotent
        except TimeoutError:
            self._broker.give_up_consuming("an ack could not be written")
            return
        HANDLED.labels(self._queue.name, fate).inc()

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


def _copies(fate: Fate, parcel: Parcel, queue: Queue) -> list[Parcel]:
    ours = {name: value for name, value in parcel.headers.items() if not name.startswith(_BROKERS_OWN)}
    match fate:
        case Again(rung=rung, attempt=attempt, counted=counted, reason=reason):
            failed = _failed(ours, reason) if counted else ours
            return [parcel.to_queue(queue.retry(rung), failed | {ATTEMPT: attempt})]
        case Split(rung=rung, attempt=attempt, reason=reason):
            headers = _failed(ours, reason) | {ATTEMPT: attempt}
            singles = read(parcel, redelivered=True).message.singles()
            parcels = (Parcel(parcel.type, s.to_bytes(), correlation_id=parcel.correlation_id) for s in singles)
            return [single.to_queue(queue.retry(rung), headers) for single in parcels]
        case Park(reason=reason, error=error):
            headers = _failed(ours, reason) | {ERROR: error, PARKED_AT: _now()}
            return [parcel.to_queue(queue.parking, headers)]
        case _:
            assert_never(fate)


def _failed(headers: Mapping[str, Any], reason: str) -> dict[str, Any]:
    return {FIRST_FAILED_AT: _now(), **headers, REASON: reason}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _label(fate: Fate) -> str:
    match fate:
        case Again(counted=counted):
            return "failed" if counted else "retried"
        case Split():
            return "split"
        case Park():
            return "parked"
        case _:
            assert_never(fate)


def _log_failure(queue: str, parcel: Parcel, fate: Fate, error: Exception) -> None:
    expected = isinstance(fate, Again) and not fate.counted
    _log.log(
        20 if expected else 40,
        "a message was not handled",
        queue=queue,
        type=parcel.type,
        message=parcel.message_id,
        fate=_label(fate),
        reason=fate.reason,
        exc_info=None if expected else error,
    )
