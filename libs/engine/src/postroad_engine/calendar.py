"""When a step is due: delays, preferred times and what the clock does on the days it is changed.

Without a preferred time, a delay is elapsed time: one day is 24 hours.

With a preferred time, a delay of one or more whole days counts calendar days in the contact's zone: a contact who
enrolls on Monday at 17:00 gets a step of `3d` at 09:00 on Thursday at 09:00. Any other delay, none included, is
elapsed time, and the step is due at the first preferred time at or after its end.

A preferred time that the day skips (clocks go forward) is the first instant after the gap; one that the day has
twice (clocks go back) is the first of the two and never the second.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


def due_at(anchor: datetime, delay: timedelta, preferred_time: time | None, zone: ZoneInfo) -> datetime:
    """The UTC instant at which a step is due whose delay counts from `anchor`."""
    if preferred_time is None:
        return anchor + delay
    if delay and not delay % _DAY:
        return wall_clock(anchor.astimezone(zone).date() + delay, preferred_time, zone)
    return next_wall_clock(anchor + delay, preferred_time, zone)


def next_wall_clock(earliest: datetime, wall: time, zone: ZoneInfo) -> datetime:
    """The first instant at or after `earliest` at which a day reaches this wall-clock time."""
    # A day earlier than the local date: where the date line was crossed, a skipped day's instant lies in the next.
    day = earliest.astimezone(zone).date() - _DAY
    while (instant := wall_clock(day, wall, zone)) < earliest:
        day += _DAY
    return instant


def wall_clock(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """The UTC instant of a wall-clock time on a local day; the first valid one after a gap, the first of a fold."""
    wanted = datetime.combine(day, wall)
    instant = wanted.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _local(instant, zone) == wanted:
        return instant
    before = wanted.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return _first_at_or_past(wanted, before, instant, zone)


def skipped(instant: datetime, wall: time, zone: ZoneInfo) -> bool:
    """Whether a due instant does not show this wall-clock time because its day has none."""
    return instant.astimezone(zone).time() != wall


def _local(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _first_at_or_past(wanted: datetime, low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The instant of the transition between low and high, to the second: clocks change on whole seconds."""
    low, high = low.replace(microsecond=0), high.replace(microsecond=0)
    while high - low > _SECOND:
        middle = low + (high - low) // 2 // _SECOND * _SECOND
        if _local(middle, zone) >= wanted:
            high = middle
        else:
            low = middle
    return high
