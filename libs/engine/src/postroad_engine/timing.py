"""When a step goes: rules that each move a candidate instant later and say why.

A rule is a function from what is known and a candidate to a `Moved`. The rules that follow the first only ever move
the candidate later, so a calendar (windows, weekdays, holidays, a person's days off) is one more rule each in
`RULES`; once two of them can move past each other they are repeated until none moves, which ends because each moves
later and a year is the horizon.
"""

from collections.abc import Callable
from datetime import datetime, time
from typing import NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from postroad_engine.calendar import due_at, next_wall_clock, skipped
from postroad_engine.case import Case
from postroad_engine.delays import format_time_of_day
from postroad_engine.reasons import (
    DelayAfter,
    Overdue,
    PreferredTime,
    Reason,
    TimeSkipped,
    Whose,
    ZoneFallback,
)
from postroad_engine.zones import zone, zone_names

_UTC = "UTC"


class Moved(NamedTuple):
    """The candidate after a rule, and what the rule says of it."""

    candidate: datetime
    reasons: tuple[Reason, ...] = ()


Rule: TypeAlias = Callable[[Case, datetime], Moved]


def due(case: Case) -> Moved:
    """The instant at which the step is due, as all rules together say."""
    candidate = case.enrollment.anchor_at
    reasons: tuple[Reason, ...] = ()
    for rule in RULES:
        moved = rule(case, candidate)
        candidate, reasons = moved.candidate, reasons + moved.reasons
    return Moved(candidate, reasons)


def after_delay(case: Case, candidate: datetime) -> Moved:
    """The step's delay and preferred time, counted from its anchor."""
    step = case.step
    previous = step.number - 1 or None
    delay = DelayAfter(step.delay, previous, case.enrollment.anchor_at)
    if step.preferred_time is None:
        return Moved(candidate + step.delay, (delay,))
    where, fallbacks = zone_of(case)
    instant = due_at(candidate, step.delay, step.preferred_time, where)
    return Moved(instant, (delay, *fallbacks, *_clock_reasons(instant, step.preferred_time, where)))


def after_retry_wait(case: Case, candidate: datetime) -> Moved:
    """The wait that a mail server's deferral asks for."""
    if case.retry is None or case.retry.until <= candidate:
        return Moved(candidate)
    return Moved(case.retry.until, (case.retry,))


def unless_long_overdue(case: Case, candidate: datetime) -> Moved:
    """A step too late for its own moment goes now, or at the next preferred time.

    One that may have been sent before the database was restored keeps its moment, by which that can be told.
    """
    keeps = case.facts.keeps_due_until
    if keeps is not None and candidate <= keeps:
        return Moved(candidate)
    if case.now < candidate + case.policy.send_within:
        return Moved(candidate)
    late = Overdue(was_due_at=candidate)
    preferred = case.step.preferred_time
    if preferred is None:
        return Moved(case.now, (late,))
    where, _ = zone_of(case)
    return Moved(next_wall_clock(case.now, preferred, where), (late,))


RULES: tuple[Rule, ...] = (after_delay, after_retry_wait, unless_long_overdue)


def zone_of(case: Case) -> tuple[ZoneInfo, tuple[ZoneFallback, ...]]:
    """The contact's zone, else the tenant's, else UTC; each one passed over is a reason."""
    contact = None if case.contact is None else case.contact.timezone
    tenant = case.facts.tenant_timezone
    if contact in zone_names():
        return zone(contact), ()
    used = tenant if tenant in zone_names() else _UTC
    passed = [ZoneFallback(Whose.CONTACT, contact, used)]
    if used is not tenant:
        passed.append(ZoneFallback(Whose.TENANT, tenant, used))
    return zone(used), tuple(passed)


def _clock_reasons(instant: datetime, preferred: time, where: ZoneInfo) -> tuple[Reason, ...]:
    local, name = format_time_of_day(preferred), where.key
    if not skipped(instant, preferred, where):
        return (PreferredTime(local, name),)
    used = format_time_of_day(instant.astimezone(where).time())
    return (PreferredTime(local, name), TimeSkipped(local, name, used))
