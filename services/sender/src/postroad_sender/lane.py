"""A lane: everything that one sender of one tenant has to send, and the connections it goes over.

The way of an item here: wait for a free connection, render, get the permit (claim, then look), hand over, record the
outcome. A connection is free again only when the outcome is durable, so what is transmitting is at most what is open.
"""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import structlog
from asyncpg import Pool
from opentelemetry.trace import SpanKind

from postroad_engine.facts import Outcome
from postroad_engine.reasons import Reason, RenderFailed
from postroad_sender.items import Due, Result, TryLater
from postroad_sender.ledger import Candidate, Finding, Ledger, Permit, Unsent
from postroad_sender.metrics import PAUSED, RENDER_TIME, SMTP_TIME, TRANSMITTING, WAITING
from postroad_sender.reading import Inputs, Sender
from postroad_sender.rendering import RenderedMail, Stamp, render, rfc_message_id
from postroad_sender.resting import Rest, Rests, begin_rest, end_rest
from postroad_sender.smtp.classify import Judgement, Pause, judge, why_unreachable
from postroad_sender.smtp.connection import Connection
from postroad_sender.smtp.dial import DialFailure, Dialing
from postroad_sender.smtp.pool import Account, Connections, Wear
from postroad_sender.tracing import item_span

if __debug__:
    from postroad_common.faults import reach

_log = structlog.get_logger()
_FEWER_CONNECTIONS_FOR = 5.0
"""Seconds without a dial after one failed while other connections work: the server has enough of us."""
_FORGOTTEN_AFTER = 3600.0
"""Seconds after a rest until the next failure is a first one: what was held comes back a while after the rest's end."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What every lane works with. `wait` is how long an item may wait for a connection, in seconds."""

    pool: Pool
    ledger: Ledger
    stamp: Stamp
    rests: Rests
    dialing: Dialing
    wear: Wear
    wait: float


@dataclass(slots=True, eq=False)
class Work:
    """An item that passed the first look. `settled` gets what became of it."""

    due: Due
    inputs: Inputs
    settled: asyncio.Future[Result]
    traceparent: str | None
    since: float

    def end(self, result: Result) -> None:
        """Say what became of it."""
        if not self.settled.done():
            self.settled.set_result(result)

    def fail(self, error: Exception) -> None:
        """Say that it could not be dealt with."""
        if not self.settled.done():
            self.settled.set_exception(error)


class Lane:
    """The queue of one sender and its connections; pumps whenever either gains something."""

    def __init__(self, tenant_id: UUID, sender_id: UUID, tools: Tools) -> None:
        self._tenant_id = tenant_id
        self._sender_id = sender_id
        self._tools = tools
        self._queue: deque[Work] = deque()
        self._sender: Sender | None = None
        self._failures = 0
        self._rest: Rest | None = None
        self._draining = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections = Connections(tools.dialing, tools.wear, on_free=self._pump, on_failure=self._dial_failed)

    def put(self, works: Sequence[Work]) -> None:
        """Queue a batch; the newest of its senders is the account to use."""
        sender = works[0].inputs.sender
        self._use(sender)
        self._queue.extend(works)
        if self._draining:
            self._release(TryLater("the sender is stopping"))
        self._pump()

    def _use(self, sender: Sender) -> None:
        """Send as the newest that was read; one that somebody has changed gets a fresh start."""
        if self._sender is not None:
            if sender.updated_at < self._sender.updated_at:
                return
            if sender.updated_at > self._sender.updated_at:
                self._rest, self._failures = None, 0
        self._sender = sender
        self._connections.use(Account(sender.server, sender.max_connections))

    def drain(self) -> None:
        """Begin nothing more: what waits goes back, what is on the wire ends."""
        self._draining = True
        self._release(TryLater("the sender is stopping"))

    def sweep(self) -> None:
        """Close what is idle, and give back what has waited too long."""
        self._connections.close_idle()
        oldest = time.monotonic() - self._tools.wait
        while self._queue and self._queue[0].since < oldest:
            self._queue.popleft().end(TryLater("no connection of its sender was free in time"))
        self._pump()

    @property
    def resting(self) -> bool:
        """Whether the sender rests because of its server."""
        return self._rest is not None and not self._rest.over

    @property
    def finished(self) -> bool:
        """Whether nothing is left here to keep: neither work nor failures that the next is counted with."""
        remembers = self._failures > 0 and self._rest is not None and not self._rest.over_for(_FORGOTTEN_AFTER)
        return not (self._queue or self._tasks or self.resting or remembers) and self._connections.none_left

    @property
    def waiting(self) -> int:
        """How many items wait for a connection."""
        return len(self._queue)

    @property
    def waited(self) -> float:
        """For how long the oldest item has been waiting, in seconds."""
        return time.monotonic() - self._queue[0].since if self._queue else 0.0

    @property
    def transmitting(self) -> int:
        """How many messages are on the wire, or about to be."""
        return len(self._tasks)

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.close()

    # The pump.

    def _pump(self) -> None:
        if not self._queue:
            return
        if self._rest is not None and self.resting:
            self._withhold_all(self._rest)
            return
        while self._queue and (count := min(self._connections.free, len(self._queue))):
            batch = [self._queue.popleft() for _ in range(count)]
            self._spawn(self._transmit(batch, deque(self._connections.take() for _ in batch)))
        self._connections.grow(len(self._queue))

    def _release(self, result: Result) -> None:
        while self._queue:
            self._queue.popleft().end(result)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a task of a lane failed", exc_info=error)

    # The way of a batch, then of each message.

    async def _transmit(self, batch: Sequence[Work], free: deque[Connection]) -> None:
        """Render, get the permits, hand over. Connections that get nothing to do are given back."""
        try:
            ready = await self._render_all(batch)
            admitted = await self._tools.ledger.admit([_candidate(work, mail) for work, mail in ready]) if ready else ()
            for (work, mail), answer in zip(ready, admitted, strict=True):
                if isinstance(answer, Permit):
                    self._spawn(self._hand_over(work, mail, answer, free.popleft()))
                else:
                    work.end(answer)
        except Exception as error:  # noqa: BLE001 - whoever waits for an item gets it
            _log.exception("a batch could not be transmitted", items=len(batch))
            for work in batch:
                work.fail(error)
        finally:
            for connection in free:
                self._connections.give_back(connection)

    async def _render_all(self, batch: Sequence[Work]) -> list[tuple[Work, RenderedMail]]:
        ready = []
        for work in batch:
            rendered = self._render(work)
            if isinstance(rendered, RenderFailed):
                await self._withhold([work], (rendered,))
            else:
                ready.append((work, rendered))
        return ready

    def _render(self, work: Work) -> RenderedMail | RenderFailed:
        with RENDER_TIME.time(), item_span("render", work.traceparent) as work.traceparent:
            return render(work.due, work.inputs, self._tools.stamp, traceparent=work.traceparent)

    async def _hand_over(self, work: Work, mail: RenderedMail, permit: Permit, connection: Connection) -> None:
        try:
            if __debug__:
                reach("sender.gated")
            judgement = await self._speak(work, mail, connection)
            if __debug__:
                reach("sender.answered")
            if judgement.pause is not None:
                judgement = await self._blame_sender(judgement, judgement.pause)
            result = await self._tools.ledger.settle(Finding(permit, judgement))
            if __debug__:
                reach("sender.outcome_committed")
            self._note_success(judgement)
            work.end(result)
        except Exception as error:  # noqa: BLE001 - whoever waits for the item gets it
            # The row stays transmitting: nobody sends it again, and it becomes unknown when this process ends.
            _log.exception("an outcome could not be recorded", message_id=str(work.due.message_id))
            work.fail(error)
        finally:
            self._connections.give_back(connection)

    async def _speak(self, work: Work, mail: RenderedMail, connection: Connection) -> Judgement:
        begun = time.perf_counter()
        with item_span("smtp", work.traceparent, SpanKind.CLIENT) as work.traceparent:
            judgement = judge(await connection.send(mail.envelope, mail.content))
        SMTP_TIME.observe(time.perf_counter() - begun)
        return judgement

    # Senders that rest, and items that are not sent.

    def _dial_failed(self, failure: DialFailure) -> None:
        _log.warning(
            "a mail server could not be reached",
            sender=str(self._sender_id),
            phase=failure.phase.value,
            why=failure.why,
        )
        self._connections.rest(_FEWER_CONNECTIONS_FOR)
        if self._connections.none_left:
            self._spawn(self._cannot_connect(failure))

    async def _cannot_connect(self, failure: DialFailure) -> None:
        pause, reason = why_unreachable(failure)
        self._withhold_all(await self._begin_rest(pause, reason))
        self._connections.rest(0)  # the rest itself says when to dial again

    async def _blame_sender(self, judgement: Judgement, pause: Pause) -> Judgement:
        """The server refused the sender, not the contact: let it rest and hold the message."""
        try:
            rest = await self._begin_rest(pause, judgement.reasons[0])
        except Exception:  # noqa: BLE001 - the message's own outcome is known and must be recorded all the same
            _log.exception("a sender could not be put to rest", sender=str(self._sender_id))
            return judgement
        self._withhold_all(rest)
        return replace(judgement, reasons=rest.reasons)

    async def _begin_rest(self, pause: Pause, reason: Reason) -> Rest:
        self._failures += 1
        span = self._tools.rests.span(pause, self._failures)
        self._rest = await begin_rest(self._tools.pool, self._tenant_id, self._sender_id, span, reason)
        return self._rest

    def _withhold_all(self, rest: Rest) -> None:
        works = [self._queue.popleft() for _ in range(len(self._queue))]
        if works:
            self._spawn(self._withhold(works, rest.reasons))

    async def _withhold(self, works: Sequence[Work], reasons: tuple[Reason, ...]) -> None:
        """Record items as held without having touched the wire."""
        try:
            results = await self._tools.ledger.record_unsent([_unsent(work, reasons) for work in works])
        except Exception as error:  # noqa: BLE001 - whoever waits for an item gets it
            _log.exception("items could not be held", items=len(works))
            for work in works:
                work.fail(error)
            return
        for work, result in zip(works, results, strict=True):
            work.end(result)

    def _note_success(self, judgement: Judgement) -> None:
        if judgement.outcome is not Outcome.ACCEPTED:
            return
        rested = self._failures or (self._sender is not None and self._sender.has_rested)
        if rested and not self.resting:
            self._failures = 0
            if self._sender is not None:
                self._sender = replace(self._sender, has_rested=False)
            self._spawn(end_rest(self._tools.pool, self._tenant_id, self._sender_id))


def _candidate(work: Work, mail: RenderedMail) -> Candidate:
    step = work.inputs.step
    return Candidate(
        work.due,
        mail.recipient,
        mail.subject,
        mail.rfc_message_id,
        (step.template_id, step.template_version),
        mail.content,
    )


def _unsent(work: Work, reasons: tuple[Reason, ...]) -> Unsent:
    message_id = rfc_message_id(work.due, work.inputs.sender.from_email)
    return Unsent(work.due, Outcome.HELD, reasons, work.inputs.contact["email"], message_id)


class Lanes:
    """The lanes of this process, made on demand and dropped when idle."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._lanes: dict[tuple[UUID, UUID], Lane] = {}
        self._draining = False

    def put(self, works: Sequence[Work]) -> None:
        """Queue a batch of one tenant and sender."""
        key = (works[0].due.tenant_id, works[0].due.sender_id)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(*key, self._tools)
            if self._draining:
                lane.drain()
        lane.put(works)

    def waited(self, tenant_id: UUID, sender_id: UUID) -> float:
        """For how long the oldest item of a tenant's sender has been waiting, in seconds."""
        lane = self._lanes.get((tenant_id, sender_id))
        return 0.0 if lane is None else lane.waited

    async def sweep(self) -> None:
        """Tidy every lane; drop those that are finished."""
        for key, lane in list(self._lanes.items()):
            lane.sweep()
            if lane.finished:
                del self._lanes[key]
        PAUSED.set(sum(lane.resting for lane in self._lanes.values()))
        WAITING.set(sum(lane.waiting for lane in self._lanes.values()))
        TRANSMITTING.set(self.transmitting)

    def drain(self) -> None:
        """Begin nothing more."""
        self._draining = True
        for lane in self._lanes.values():
            lane.drain()

    @property
    def transmitting(self) -> int:
        """How many messages are on the wire, their outcome not yet durable."""
        return sum(lane.transmitting for lane in self._lanes.values())

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(lane.close() for lane in self._lanes.values()))
