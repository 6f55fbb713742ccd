"""What a decision is taken on and what it says: frozen values, filled by the callers' stores."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from postroad_engine.definition import Step
from postroad_engine.reasons import BounceType, Reason, SequenceState, StopKind
from postroad_engine.state_machine import EnrollmentState, Event


class Intent(StrEnum):
    """What is wanted of an enrollment."""

    RUN = "run"
    PAUSE = "pause"
    STOP = "stop"


class Outcome(StrEnum):
    """What became of one attempt at a step."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    DEFERRED = "deferred"
    HELD = "held"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class EnrollmentView:
    """Where an enrollment is, from its progress row.

    `step_number` is the step that is next or in hand and `anchor_at` what its delay counts from. `deferrals` counts
    how often a mail server put off this step, and `next_due_at` is when it was last due; both belong to the step.
    A fresh enrollment is `EnrollmentView(enrollment_id, anchor_at)`.
    """

    enrollment_id: UUID
    anchor_at: datetime
    state: EnrollmentState = EnrollmentState.ACTIVE
    step_number: int = 1
    attempt: int = 0
    deferrals: int = 0
    next_due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ContactView:
    """The contact as far as rules look at it. `timezone` is an IANA name as it was given, perhaps wrong."""

    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What else bears on a decision, as it is now.

    `stops` are the kinds of every stop of this enrollment and every suppression of its contact's address.
    `sender_paused_until` is the end of a pause that Postroad made itself. `keeps_due_until`: what was due up to then
    stays due then, since it may have been sent before the database was restored; None: it never was.
    """

    intent: Intent = Intent.RUN
    sequence_state: SequenceState = SequenceState.ACTIVE
    stops: frozenset[StopKind] = frozenset()
    sender_paused_by_person: bool = False
    sender_paused_until: datetime | None = None
    tenant_timezone: str | None = None
    keeps_due_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the sender said about one attempt. `retry_after` is the server's own wish after a deferral."""

    step_key: str
    attempt: int
    outcome: Outcome
    settled_at: datetime
    reasons: tuple[Reason, ...] = ()
    bounce_type: BounceType | None = None
    retry_after: timedelta | None = None


_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)

# 21 retries in 69 hours; one more would pass three days, after which a follow-up is no longer wanted.
BACKOFF = (_MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, *(17 * (4 * _HOUR,)))


@dataclass(frozen=True, slots=True)
class Policy:
    """Spans that rules use.

    `send_within`: how late a step may still go. `look_again`: how long a hold lasts that a person must end.
    `held_wait`: how long a step rests that the sender held for a cause already gone. `backoff`: waits after each
    deferral of a step. `retry_after_limit`: the longest wait that a mail server may ask for.
    """

    send_within: timedelta = timedelta(hours=24)
    look_again: timedelta = _HOUR
    held_wait: timedelta = timedelta(seconds=10)
    backoff: tuple[timedelta, ...] = BACKOFF
    retry_after_limit: timedelta = timedelta(hours=24)


DEFAULT_POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Send:
    """Send the step at `due_at` or later, but before `send_before`. `event` is the change of state, if any."""

    step: Step
    anchor_at: datetime
    due_at: datetime
    send_before: datetime
    deferrals: int = 0
    reasons: tuple[Reason, ...] = ()
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep the step and look again at `until`, or sooner when something is said to have changed.

    `due_at` and `send_before` are what they would be without the hold. `needs_attention`: only a person can help.
    """

    step: Step
    anchor_at: datetime
    due_at: datetime
    send_before: datetime
    until: datetime
    deferrals: int = 0
    reasons: tuple[Reason, ...] = ()
    event: Event | None = None
    needs_attention: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """The enrollment ends, or (`event` None) had ended already, in this state."""

    state: EnrollmentState
    reasons: tuple[Reason, ...] = ()
    event: Event | None = None


Decision: TypeAlias = Send | Hold | End
