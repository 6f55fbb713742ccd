"""Stops that hold: commit what is wanted, then look at the wire, then answer.

A sender commits `transmitting` and then reads what is wanted; we do the opposite. Whoever commits second sees the
other, so after the acknowledgement nothing of the subject begins but what the answer lists.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import astuple, dataclass
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

from postroad_common.db import queries
from postroad_common.ids import new_id
from postroad_sequence_api.context import Desk, Work
from postroad_sequence_api.models.intents import Stop

_SQL: Final = queries("postroad_sequence_api", "intents")

Intent = Literal["run", "pause", "stop"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is stopped: a sequence, one of its enrollments, a sender, or an address."""

    sequence_id: UUID | None = None
    enrollment_id: UUID | None = None
    sender_id: UUID | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A stop that is wanted, and holds once it is acknowledged."""

    subject: Subject
    intent_id: UUID


async def record(work: Work, subject: Subject, intent: Intent) -> Pending:
    """Write down what is wanted of a subject from now on."""
    intent_id = new_id()
    await work.do(_SQL.insert_intent, intent_id, *astuple(subject), intent, work.actor)
    return Pending(subject, intent_id)


async def standing(work: Work, subject: Subject, intent: Intent) -> Pending:
    """The stop that holds already, for one who asks again because the first answer got lost."""
    row = await work.find(_SQL.latest_intent, *astuple(subject))
    if row is not None and row["intent"] == intent:
        return Pending(subject, row["intent_id"])
    return await record(work, subject, intent)


async def carry_out(desk: Desk, begin: Callable[[Work], Awaitable[Pending]]) -> Stop:
    """Commit a stop, then wait for the wire and acknowledge it."""
    async with desk.work() as work:
        pending = await begin(work)
    return await acknowledge(desk, pending)


async def acknowledge(desk: Desk, pending: Pending) -> Stop:
    """Acknowledge once nothing of the subject is transmitting, or when the wait is over, with what is left."""
    settings = desk.context.settings
    clock = asyncio.get_running_loop().time
    deadline = clock() + settings.stop_wait_seconds
    while True:
        over = clock() >= deadline
        stop = await _try(desk, pending, over=over)
        if stop is not None:
            return stop
        await asyncio.sleep(max(0.0, min(settings.stop_poll_seconds, deadline - clock())))


async def _try(desk: Desk, pending: Pending, *, over: bool) -> Stop | None:
    horizon = timedelta(seconds=desk.context.settings.unknown_on_wire_seconds)
    async with desk.work() as work:
        row = await work.find(
            _SQL.acknowledge_intent, pending.intent_id, *astuple(pending.subject), over, horizon
        ) or await work.find(_SQL.acknowledged_intent, pending.intent_id)
    return Stop.of(row) if row is not None else None
