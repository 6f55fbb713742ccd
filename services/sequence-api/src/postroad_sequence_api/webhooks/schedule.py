"""When a failed delivery is posted again, and when nothing is any more. Pure."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The pause after each failure, that of Standard Webhooks; after the one that has none, the delivery is dead."""

JITTER: Final = 0.2
"""A pause is longer by up to this share, so that what failed together does not come back together."""

LONGEST_WAIT: Final = timedelta(hours=1)
"""As long as a receiver may ask us to wait by Retry-After."""

SERIES_ENDS_AFTER: Final = timedelta(hours=36)
"""Failures this far apart are not one series: the longest pause with its jitter is shorter."""


def pause_after(failures: int, chance: Callable[[], float], retry_after: float | None = None) -> timedelta | None:
    """How long to wait after the latest of so many failures; None: that was the last. chance gives 0 up to 1."""
    if failures > len(PAUSES):
        return None
    pause = PAUSES[failures - 1] * (1 + JITTER * chance())
    return max(pause, asked_wait(retry_after) or pause)


def asked_wait(retry_after: float | None) -> timedelta | None:
    """The wait that a receiver asked for, in bounds."""
    return None if retry_after is None else min(timedelta(seconds=retry_after), LONGEST_WAIT)
