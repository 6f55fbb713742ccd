"""When a step goes: rules that each move a candidate instant later and say why.

A rule is a function from what is known and a candidate to a `Moved`. The rules that follow the first only ever move
the candidate later, so a calendar (windows, weekdays, holidays, a person's days off) is one more rule each in
`RULES`; once two of them can move past each other they are repeated until none moves, which ends because each moves
later and a year is the horizon.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

from postroad_engine.calendar import due_at, next_wall_clock, skipped
from postroad_engine.definition import Step
from postroad_engine.delays import format_time_of_day
from postroad_engine.errors import UnknownZoneError
from postroad_engine.facts import Policy
from postroad_engine.reasons import (
    DelayAfter,
    Overdue,
    PreferredTime,
    Reason,
    RetryAt,
    TimeSkipped,
    Whose,
    ZoneFallback,
)
from postroad_engine.zones import zone

_UTC = "UTC"


@dataclass(frozen=True, slots=True)
class Timing:
    """What the rules of timing look at. `retry` is when a step that a server put off may be tried again."""

    step: Step
    anchor_at: datetime
    contact_timezone: str | None
    tenant_timezone: str | None
    retry: RetryAt | None
    policy: Policy
    now: datetime


@dataclass(frozen=True, slots=True)
class Moved:
    """The candidate after a rule, and what the rule says of it."""

    candidate: datetime
    reasons: tuple[Reason, ...] = ()


Rule: TypeAlias = Callable[[Timing, datetime], Moved]


def due(timing: Timing) -> Moved:
    """The instant at which the step is due, as all rules together say."""
    candidate = timing.anchor_at
    reasons: tuple[Reason, ...] = ()
    for rule in RULES:
        moved = rule(timing, candidate)
        candidate, reasons = moved.candidate, reasons + moved.reasons
    return Moved(candidate, reasons)


def after_delay(timing: Timing, candidate: datetime) -> Moved:
    """The step's delay and preferred time, counted from its anchor."""
    step = timing.step
    previous = step.number - 1 or None
    delay = DelayAfter(step.delay, previous, timing.anchor_at)
    if step.preferred_time is None:
        return Moved(candidate + step.delay, (delay,))
    where, fallbacks = resolve_zone(timing.contact_timezone, timing.tenant_timezone)
    instant = due_at(candidate, step.delay, step.preferred_time, where)
    return Moved(instant, (delay, *fallbacks, *_clock_reasons(instant, step, where)))


def after_retry_wait(timing: Timing, candidate: datetime) -> Moved:
    """The wait that a mail server's deferral asks for."""
    if timing.retry is None or timing.retry.until <= candidate:
        return Moved(candidate)
    return Moved(timing.retry.until, (timing.retry,))


def unless_long_overdue(timing: Timing, candidate: datetime) -> Moved:
    """A step too late for its own moment goes now, or at the next preferred time."""
    if timing.now < candidate + timing.policy.send_within:
        return Moved(candidate)
    late = Overdue(was_due_at=candidate)
    preferred = timing.step.preferred_time
    if preferred is None:
        return Moved(timing.now, (late,))
    where, _ = resolve_zone(timing.contact_timezone, timing.tenant_timezone)
    return Moved(next_wall_clock(timing.now, preferred, where), (late,))


RULES: tuple[Rule, ...] = (after_delay, after_retry_wait, unless_long_overdue)


def resolve_zone(contact: str | None, tenant: str | None) -> tuple[ZoneInfo, tuple[ZoneFallback, ...]]:
    """The contact's zone, else the tenant's, else UTC; each one passed over is a reason."""
    passed: list[tuple[Whose, str | None]] = []
    for whose, given in ((Whose.CONTACT, contact), (Whose.TENANT, tenant)):
        try:
            if given is not None:
                found = zone(given)
                return found, tuple(ZoneFallback(one, bad, given) for one, bad in passed)
        except UnknownZoneError:
            pass
        passed.append((whose, given))
    return zone(_UTC), tuple(ZoneFallback(one, bad, _UTC) for one, bad in passed)


def _clock_reasons(instant: datetime, step: Step, where: ZoneInfo) -> tuple[Reason, ...]:
    if step.preferred_time is None:
        return ()
    local, name = format_time_of_day(step.preferred_time), str(where)
    if not skipped(instant, step.preferred_time, where):
        return (PreferredTime(local, name),)
    used = format_time_of_day(instant.astimezone(where).time())
    return (PreferredTime(local, name), TimeSkipped(local, name, used))
