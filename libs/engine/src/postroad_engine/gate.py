"""The last look before the wire: may this message go now?

Asked in this order; the first that says no is the answer.

1. the ledger row is still this sender's to transmit, and its incarnation is alive: else nothing below matters
2. what ends the enrollment: no contact, ended, stopped, replied or suppressed, sequence archived
3. what only holds it: paused, sequence not active, sender paused by a person or by Postroad
4. its last moment has not passed

What ends comes before what holds, so that a stop is final also while something is paused.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from postroad_engine.facts import Intent
from postroad_engine.reasons import (
    AlreadyEnded,
    ContactGone,
    EnrollmentPaused,
    EnrollmentStopped,
    Expired,
    IncarnationExpired,
    NotOurs,
    Reason,
    SenderPaused,
    SequenceInactive,
    SequenceState,
    StopKind,
    Suppressed,
)
from postroad_engine.state_machine import ENDS, EnrollmentState


class Disposition(StrEnum):
    """What becomes of a message that may not go."""

    HELD = "held"  # it comes back with a later attempt
    CANCELLED = "cancelled"  # for good
    ABANDONED = "abandoned"  # somebody else's by now: write nothing


@dataclass(frozen=True, slots=True)
class GateFacts:
    """What the sender reads after its row is committed as transmitting.

    `progress_state` is None when there is no progress row. `stops` are the kinds of every stop of the enrollment and
    suppression of the address. `now` is the database's.
    """

    now: datetime
    send_before: datetime
    contact_exists: bool
    sequence_state: SequenceState
    intent: Intent
    progress_state: EnrollmentState | None
    stops: frozenset[StopKind]
    sender_paused_by_person: bool
    sender_paused_until: datetime | None
    row_is_ours: bool
    incarnation_live: bool


@dataclass(frozen=True, slots=True)
class Go:
    """Nothing stands against sending."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the message may not go and what becomes of it."""

    reason: Reason
    disposition: Disposition


Verdict: TypeAlias = Go | Stop

_GO = Go()


def gate(facts: GateFacts) -> Verdict:
    """Whether a message may go onto the wire at this moment."""
    if not facts.row_is_ours:
        return Stop(NotOurs(), Disposition.ABANDONED)
    if not facts.incarnation_live:
        return Stop(IncarnationExpired(), Disposition.HELD)
    if (reason := _end(facts)) is not None:
        return Stop(reason, Disposition.CANCELLED)
    if (reason := _hold(facts)) is not None:
        return Stop(reason, Disposition.HELD)
    return _GO


def _end(facts: GateFacts) -> Reason | None:
    if not facts.contact_exists:
        return ContactGone()
    if facts.stops:
        return next(Suppressed(kind) for kind in StopKind if kind in facts.stops)
    if facts.intent == Intent.STOP or facts.progress_state is None:
        return EnrollmentStopped()
    if facts.progress_state in ENDS:
        return AlreadyEnded(facts.progress_state)
    if facts.sequence_state == SequenceState.ARCHIVED:
        return SequenceInactive(facts.sequence_state)
    return None


def _hold(facts: GateFacts) -> Reason | None:
    if facts.intent != Intent.RUN:
        return EnrollmentPaused()
    if facts.sequence_state != SequenceState.ACTIVE:
        return SequenceInactive(facts.sequence_state)
    if facts.sender_paused_by_person:
        return SenderPaused(until=None)
    if facts.sender_paused_until is not None and facts.sender_paused_until > facts.now:
        return SenderPaused(until=facts.sender_paused_until)
    if facts.now > facts.send_before:
        return Expired(facts.send_before)
    return None
