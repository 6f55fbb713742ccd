"""Delays and times of day as people write them: `3d`, `2h`, `90m`, `5s`, `1w`; `09:30`."""

import re
from datetime import time, timedelta

from postroad_engine.errors import DelayError, TimeOfDayError

MAX_DELAY = timedelta(days=365)

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DELAY = re.compile(r"\s*([0-9]{1,9})\s*([wdhms])\s*", re.ASCII)
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_NAMES = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def parse_delay(value: object) -> timedelta:
    """A delay from `3d`, `2h`, `90m`, `5s`, `1w` or whole seconds; raises DelayError outside 0 to 365 days."""
    seconds = _seconds(value)
    if not 0 <= seconds <= MAX_DELAY.total_seconds():
        raise DelayError("a delay is between 0 and 365 days")
    return timedelta(seconds=seconds)


def _seconds(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _DELAY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise DelayError("write a delay as 3d, 2h, 90m, 5s or 1w, or as a whole number of seconds")
    return int(match[1]) * _UNITS[match[2]]


def format_delay(delay: timedelta) -> str:
    """The shortest text that parse_delay reads as the same delay; days are preferred to weeks."""
    seconds = int(delay.total_seconds())
    for unit in "dhm":
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"


def parse_time_of_day(value: object) -> time:
    """A wall-clock time from `09:30`; raises TimeOfDayError."""
    if isinstance(value, time) and value.tzinfo is None:
        return value
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is not None:
        return time(int(match[1]), int(match[2]))
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1440:
        # YAML 1.1 reads an unquoted 10:30 as the number 630.
        raise TimeOfDayError(f'put the time in quotes: "{value // 60:02}:{value % 60:02}"')
    raise TimeOfDayError("write a time of day as 09:30, from 00:00 to 23:59")


def format_time_of_day(value: time) -> str:
    """`09:30`, or `09:30:15` when there are seconds."""
    return value.isoformat("auto" if value.second or value.microsecond else "minutes")


def in_words(span: timedelta) -> str:
    """A span for people, in its two largest units: `3 days`, `1 hour 30 minutes`, `0 seconds`."""
    rest = max(0, int(span.total_seconds()))
    words: list[str] = []
    for name, size in _NAMES:
        count, rest = divmod(rest, size)
        if count:
            words.append(f"{count} {name}" if count == 1 else f"{count} {name}s")
    return " ".join(words[:2]) or "0 seconds"
