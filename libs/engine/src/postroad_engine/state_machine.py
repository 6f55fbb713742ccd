"""The life of an enrollment as a table; docs/state-machine.md is drawn from it."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from postroad_engine.errors import IllegalTransitionError


class EnrollmentState(StrEnum):
    """Where an enrollment is: active and paused run on, the others are its ends."""

    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    REPLIED = "replied"
    BOUNCED = "bounced"
    UNENROLLED = "unenrolled"
    FAILED = "failed"


class Event(StrEnum):
    """What can happen to an enrollment."""

    ENROLL = "enroll"
    PAUSE = "pause"
    RESUME = "resume"
    COMPLETE = "complete"
    REPLY = "reply"
    BOUNCE = "bounce"
    UNENROLL = "unenroll"
    FAIL = "fail"


_S, _E = EnrollmentState, Event

# None is the state before there is an enrollment. A paused enrollment can still end: what was on the wire when it
# was paused may have been its last step, or be refused.
TRANSITIONS: Mapping[tuple[EnrollmentState | None, Event], EnrollmentState] = MappingProxyType(
    {
        (None, _E.ENROLL): _S.ACTIVE,
        (_S.ACTIVE, _E.PAUSE): _S.PAUSED,
        (_S.PAUSED, _E.RESUME): _S.ACTIVE,
        (_S.ACTIVE, _E.COMPLETE): _S.COMPLETED,
        (_S.ACTIVE, _E.REPLY): _S.REPLIED,
        (_S.ACTIVE, _E.BOUNCE): _S.BOUNCED,
        (_S.ACTIVE, _E.UNENROLL): _S.UNENROLLED,
        (_S.ACTIVE, _E.FAIL): _S.FAILED,
        (_S.PAUSED, _E.COMPLETE): _S.COMPLETED,
        (_S.PAUSED, _E.REPLY): _S.REPLIED,
        (_S.PAUSED, _E.BOUNCE): _S.BOUNCED,
        (_S.PAUSED, _E.UNENROLL): _S.UNENROLLED,
        (_S.PAUSED, _E.FAIL): _S.FAILED,
    }
)

ENDS = frozenset(EnrollmentState) - {EnrollmentState.ACTIVE, EnrollmentState.PAUSED}


def transition(state: EnrollmentState | None, event: Event) -> EnrollmentState:
    """The state that follows; raises IllegalTransitionError where the table has none."""
    following = TRANSITIONS.get((state, event))
    if following is None:
        raise IllegalTransitionError(f"{event} does not lead on from {state}")
    return following
