"""Reasons that say when a step is due."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from typing_extensions import override

from postroad_engine.delays import in_words
from postroad_engine.reasons.base import Reason, when


class Whose(StrEnum):
    """Whose time zone is spoken of."""

    CONTACT = "contact"
    TENANT = "tenant"


@dataclass(frozen=True, slots=True)
class DelayAfter(Reason):
    """The step's delay; `previous` is the number of the step it counts from, None for the enrollment itself."""

    kind: ClassVar[str] = "delay_after"
    delay: timedelta
    previous: int | None
    anchor_at: datetime

    @override
    def sentence(self) -> str:
        start = "enrolling" if self.previous is None else f"step {self.previous}"
        if not self.delay:
            return f"At once after {start} ({when(self.anchor_at)})."
        return f"{in_words(self.delay)} after {start} ({when(self.anchor_at)})."


@dataclass(frozen=True, slots=True)
class PreferredTime(Reason):
    """The step waits for a time of day. `local` is `HH:MM`, `zone` an IANA name."""

    kind: ClassVar[str] = "preferred_time"
    local: str
    zone: str

    @override
    def sentence(self) -> str:
        return f"At {self.local} on the clock in {self.zone}."


@dataclass(frozen=True, slots=True)
class TimeSkipped(Reason):
    """The preferred time does not exist on that day; `used` is the local time taken instead."""

    kind: ClassVar[str] = "time_skipped"
    local: str
    zone: str
    used: str

    @override
    def sentence(self) -> str:
        return f"Clocks in {self.zone} go forward that day and skip {self.local}, so it is {self.used} instead."


@dataclass(frozen=True, slots=True)
class ZoneFallback(Reason):
    """A time zone that is missing (`given` None) or not known, and the one used instead."""

    kind: ClassVar[str] = "zone_fallback"
    whose: Whose
    given: str | None
    used: str

    @override
    def sentence(self) -> str:
        owner = "The contact" if self.whose is Whose.CONTACT else "The account"
        if self.given is None:
            return f"{owner} has no time zone, so {self.used} is used."
        return f"{owner} has the time zone {self.given!r}, which does not exist, so {self.used} is used."


@dataclass(frozen=True, slots=True)
class Overdue(Reason):
    """The step could not go when it was due and is too late for that: it is timed anew."""

    kind: ClassVar[str] = "overdue"
    was_due_at: datetime

    @override
    def sentence(self) -> str:
        return f"It was due {when(self.was_due_at)} but could not go then, so it goes at the next opportunity."


@dataclass(frozen=True, slots=True)
class RetryAt(Reason):
    """The mail server asked to come back later. `deferral` counts from 1, `reply` is what it said."""

    kind: ClassVar[str] = "retry_at"
    deferral: int
    until: datetime
    reply: str | None

    @override
    def sentence(self) -> str:
        said = f" It said: {self.reply}" if self.reply else ""
        return f"The mail server could not take it yet; try {self.deferral + 1} is {when(self.until)}.{said}"


@dataclass(frozen=True, slots=True)
class Expired(Reason):
    """The step was not sent before its last moment and goes back to be timed anew."""

    kind: ClassVar[str] = "expired"
    send_before: datetime

    @override
    def sentence(self) -> str:
        return f"It was to go before {when(self.send_before)} and did not, so it is planned anew."
