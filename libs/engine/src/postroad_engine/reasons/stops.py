"""Reasons that hold an enrollment or end it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, assert_never

from typing_extensions import override

from postroad_engine.reasons.base import Reason, when
from postroad_engine.state_machine import EnrollmentState


class SequenceState(StrEnum):
    """The state of a sequence."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"


class StopKind(StrEnum):
    """What forbids mailing: a stop of the enrollment, or a suppression of its contact's address."""

    COMPLAINED = "complained"
    BOUNCED = "bounced"
    UNSUBSCRIBED = "unsubscribed"
    REPLIED = "replied"
    MANUAL = "manual"


class BounceType(StrEnum):
    """What a bounce says about the address: hard is for ever."""

    HARD = "hard"
    SOFT = "soft"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True)
class EnrollmentPaused(Reason):
    """Somebody paused this enrollment."""

    kind: ClassVar[str] = "enrollment_paused"

    @override
    def sentence(self) -> str:
        return "The enrollment is paused until somebody resumes it."


@dataclass(frozen=True, slots=True)
class EnrollmentStopped(Reason):
    """Somebody stopped this enrollment."""

    kind: ClassVar[str] = "enrollment_stopped"

    @override
    def sentence(self) -> str:
        return "Somebody stopped the enrollment."


@dataclass(frozen=True, slots=True)
class SequenceInactive(Reason):
    """The sequence itself does not run."""

    kind: ClassVar[str] = "sequence_inactive"
    state: SequenceState

    @override
    def sentence(self) -> str:
        if self.state is SequenceState.ARCHIVED:
            return "The sequence was archived."
        return f"The sequence is {self.state}; it goes on when the sequence is active again."


@dataclass(frozen=True, slots=True)
class SenderPaused(Reason):
    """The sender is paused: by a person when `until` is None, else by Postroad, which tries again then."""

    kind: ClassVar[str] = "sender_paused"
    until: datetime | None

    @override
    def sentence(self) -> str:
        if self.until is None:
            return "The sender is paused until somebody resumes it."
        return f"The sender is paused after trouble with its mail server; the next try is {when(self.until)}."


@dataclass(frozen=True, slots=True)
class Suppressed(Reason):
    """The contact answered, or the address must not be mailed."""

    kind: ClassVar[str] = "suppressed"
    stop: StopKind

    @override
    def sentence(self) -> str:
        match self.stop:
            case StopKind.COMPLAINED:
                return "The contact reported a mail as spam."
            case StopKind.BOUNCED:
                return "Mail to the contact's address bounced."
            case StopKind.UNSUBSCRIBED:
                return "The contact unsubscribed."
            case StopKind.REPLIED:
                return "The contact replied."
            case StopKind.MANUAL:
                return "The contact's address is on the suppression list."
            case _:
                assert_never(self.stop)


@dataclass(frozen=True, slots=True)
class ContactGone(Reason):
    """The contact was deleted."""

    kind: ClassVar[str] = "contact_gone"

    @override
    def sentence(self) -> str:
        return "The contact no longer exists."


@dataclass(frozen=True, slots=True)
class StepGone(Reason):
    """The sequence version has no step of this number."""

    kind: ClassVar[str] = "step_gone"
    number: int

    @override
    def sentence(self) -> str:
        return f"The sequence version has no step {self.number}."


@dataclass(frozen=True, slots=True)
class AlreadyEnded(Reason):
    """The enrollment had ended before."""

    kind: ClassVar[str] = "already_ended"
    state: EnrollmentState

    @override
    def sentence(self) -> str:
        return f"The enrollment has ended: {self.state}."


@dataclass(frozen=True, slots=True)
class SequenceFinished(Reason):
    """The last step is done."""

    kind: ClassVar[str] = "sequence_finished"

    @override
    def sentence(self) -> str:
        return "Every step has been sent."
