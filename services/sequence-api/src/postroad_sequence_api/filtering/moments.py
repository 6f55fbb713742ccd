"""Dates, times and spans of a filter, as moments."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

from postroad_sequence_api.filtering.tree import Relative, Span

_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_LEAST: Final = timedelta(microseconds=1)
_FIRST: Final = datetime(1, 1, 2, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 30, tzinfo=UTC)


def length(span: Span) -> timedelta:
    """How long a span is."""
    return span.amount * _UNITS[span.unit]


def stretch(value: date | datetime | Relative, now: datetime) -> tuple[datetime, datetime]:
    """What a value stands for, from (included) and to (not included): a date its day in UTC, all else an instant."""
    match value:
        case Relative(span, ahead):
            moment = _within_calendar(now, length(span) if ahead else -length(span))
            return moment, moment + _LEAST
        case datetime():
            moment = min(max(value, _FIRST), _LAST)
            return moment, moment + _LEAST
        case _:
            first = min(max(datetime(value.year, value.month, value.day, tzinfo=UTC), _FIRST), _LAST)
            return first, first + timedelta(days=1)


def before(now: datetime, span: Span) -> datetime:
    """The moment a span before now."""
    return _within_calendar(now, -length(span))


def sortable(moment: datetime) -> str:
    """The form in which attributes hold moments, which sorts as they do; what lies between milliseconds is rounded up.

    So stored values, which have milliseconds, are on the same side of it as of the moment itself.
    """
    rounded = moment + timedelta(microseconds=-moment.microsecond % 1000)
    return f"{rounded.year:04}-{rounded:%m-%dT%H:%M:%S}.{rounded.microsecond // 1000:03}Z"


def _within_calendar(now: datetime, distance: timedelta) -> datetime:
    if distance < _FIRST - now:
        return _FIRST
    return min(now + distance, _LAST)
