"""The last look before the wire: may this message go now?

Asked in this order; the first that says no is the answer.

1. the ledger row is still this sender's to transmit, and its incarnation is alive: else nothing below matters
2. the database was restored: nothing goes, and what may have been sent before that never will
3. what ends the enrollment: no contact, ended, stopped, replied or suppressed, sequence archived
4. what only holds it: paused, sequence not active, sender paused by a person or by Postroad
5. its last moment has not passed

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
    DatabaseHeld,
    EnrollmentPaused,
    EnrollmentStopped,
    Expired,
    IncarnationExpired,
    MayHaveBeenSent,
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
    UNKNOWN = "unknown"  # for good: it may have been sent in a life of the database that is lost
    ABANDONED = "abandoned"  # somebody else's by now: write nothing


@dataclass(frozen=True, slots=True)
class GateFacts:
    """What the sender reads after its row is committed as transmitting.

    `progress_state` is None when there is no progress row. `stops` are the kinds of every stop of the enrollment and
    suppression of the address. `now` is the database's. `held`: the database is held. `lost_until`: what was due up to
    then may have been sent before the database was restored; None: it never was.
    """

    now: datetime
    due_at: datetime
    send_before: datetime
    held: bool
    lost_until: datetime | None
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
    if (stop := _after_restore(facts)) is not None:
        return stop
    if (reason := _end(facts)) is not None:
        return Stop(reason, Disposition.CANCELLED)
    if (reason := _hold(facts)) is not None:
        return Stop(reason, Disposition.HELD)
    return _GO


def _after_restore(facts: GateFacts) -> Stop | None:
    if facts.lost_until is not None and facts.due_at <= facts.lost_until:
        return Stop(MayHaveBeenSent(facts.due_at, facts.lost_until), Disposition.UNKNOWN)
    return Stop(DatabaseHeld(), Disposition.HELD) if facts.held else None


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
