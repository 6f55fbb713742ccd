"""Reasons that say what became of a hand-over to a mail server."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from typing_extensions import override

from postroad_engine.delays import in_words
from postroad_engine.reasons.base import Reason, when
from postroad_engine.reasons.stops import BounceType


@dataclass(frozen=True, slots=True)
class ServerAnswered(Reason):
    """The mail server's own answer. `status` is RFC 3463, such as 5.1.1."""

    kind: ClassVar[str] = "server_answered"
    code: int
    status: str | None
    text: str

    @override
    def sentence(self) -> str:
        return f"The mail server answered: {self.reply()}"

    def reply(self) -> str:
        """The answer on one line."""
        return " ".join(str(part) for part in (self.code, self.status, self.text) if part)


@dataclass(frozen=True, slots=True)
class ConnectionFailed(Reason):
    """The mail server could not be reached or spoken to before the message was handed over."""

    kind: ClassVar[str] = "connection_failed"
    detail: str

    @override
    def sentence(self) -> str:
        return f"The mail server could not be reached: {self.detail}"


@dataclass(frozen=True, slots=True)
class Refused(Reason):
    """The mail server refused the message for good. `bounce` None: it said nothing about the address."""

    kind: ClassVar[str] = "refused"
    bounce: BounceType | None

    @override
    def sentence(self) -> str:
        if self.bounce is BounceType.HARD:
            return "The mail server says that the address does not exist or takes no mail."
        return "The mail server refused the message for good."


@dataclass(frozen=True, slots=True)
class OutcomeUnknown(Reason):
    """The hand-over was cut off between the message and its answer. `cause` says by what."""

    kind: ClassVar[str] = "outcome_unknown"
    cause: str

    @override
    def sentence(self) -> str:
        return (
            f"The mail server may have taken the message: {self.cause} before its answer came. "
            "It is not sent again; the sequence goes on as if it was sent."
        )


@dataclass(frozen=True, slots=True)
class SettledByEvidence(Reason):
    """An event of the mail provider proved what became of an unknown message."""

    kind: ClassVar[str] = "settled_by_evidence"
    event: str
    occurred_at: datetime

    @override
    def sentence(self) -> str:
        return f"The mail provider reported it {self.event} on {when(self.occurred_at)}, which settles it."


@dataclass(frozen=True, slots=True)
class SettledByHand(Reason):
    """Somebody found out what became of an unknown message. `api_key_id`: whose word it is."""

    kind: ClassVar[str] = "settled_by_hand"
    sent: bool
    because: str
    api_key_id: str | None

    @override
    def sentence(self) -> str:
        who = "An operator" if self.api_key_id is None else f"API key {self.api_key_id}"
        what = "sent" if self.sent else "not sent; it is not sent again"
        return f"{who} settled it as {what}: {self.because}"


@dataclass(frozen=True, slots=True)
class RenderFailed(Reason):
    """The template could not be filled in for this contact."""

    kind: ClassVar[str] = "render_failed"
    part: str
    line: int | None
    message: str

    @override
    def sentence(self) -> str:
        where = self.part if self.line is None else f"{self.part}, line {self.line}"
        return f"The template cannot be filled in for this contact ({where}): {self.message}."


@dataclass(frozen=True, slots=True)
class RetriesExhausted(Reason):
    """The mail server deferred the message to the end of the retry ladder."""

    kind: ClassVar[str] = "retries_exhausted"
    deferrals: int
    reply: str | None

    @override
    def sentence(self) -> str:
        said = f" The last answer was: {self.reply}" if self.reply else ""
        return f"The mail server put it off {self.deferrals} times, and no further try is made.{said}"


@dataclass(frozen=True, slots=True)
class NoAnswerFromSender(Reason):
    """The sender service did not settle the step although it was given to it so many times."""

    kind: ClassVar[str] = "no_answer_from_sender"
    emissions: int
    waited: timedelta

    @override
    def sentence(self) -> str:
        return (
            f"The sender service took the step {self.emissions} times and did not answer within "
            f"{in_words(self.waited)}; somebody should look at it."
        )


@dataclass(frozen=True, slots=True)
class CannotDecide(Reason):
    """The scheduler could not decide over the enrollment: something that it needs is missing or broken."""

    kind: ClassVar[str] = "cannot_decide"
    detail: str

    @override
    def sentence(self) -> str:
        return f"Nothing can be decided for this enrollment ({self.detail}); whoever runs Postroad should look at it."


@dataclass(frozen=True, slots=True)
class NotOurs(Reason):
    """The ledger row is not this sender's to transmit any more."""

    kind: ClassVar[str] = "not_ours"

    @override
    def sentence(self) -> str:
        return "Another sender process has taken the message over."


@dataclass(frozen=True, slots=True)
class DatabaseHeld(Reason):
    """The database may be a restored copy: what was sent since the backup is not in it."""

    kind: ClassVar[str] = "database_held"

    @override
    def sentence(self) -> str:
        return "The database was restored or moved; nothing is sent until whoever runs Postroad has released it."


@dataclass(frozen=True, slots=True)
class MayHaveBeenSent(Reason):
    """The step was due before the database was restored, and no backup knows whether it went. Counts as sent."""

    kind: ClassVar[str] = "may_have_been_sent"
    due_at: datetime
    restored_at: datetime

    @override
    def sentence(self) -> str:
        return (
            f"It was due {when(self.due_at)}, and what was sent before the database was restored "
            f"({when(self.restored_at)}) is not known: it counts as sent, and is not sent again."
        )


@dataclass(frozen=True, slots=True)
class IncarnationExpired(Reason):
    """The sender process missed its heartbeat, so others may judge what it holds."""

    kind: ClassVar[str] = "incarnation_expired"

    @override
    def sentence(self) -> str:
        return "The sender process was not heard of for too long and must not transmit."
