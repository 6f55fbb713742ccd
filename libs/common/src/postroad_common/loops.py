"""Work that is done again and again for as long as a process lives."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import structlog

from postroad_common.amqp.errors import PublishError
from postroad_common.db import is_retryable

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 5.0

_log = structlog.get_logger()


async def forever(
    step: Callable[[], Awaitable[object]],
    period: timedelta,
    *,
    wake: asyncio.Event | None = None,
    stopping: asyncio.Event | None = None,
) -> None:
    """Call step until stopping is set, which it then ends in order; a true result: there is more, call it at once.

    Between calls it rests for the period, or until wake is set. Outages of the database and the broker are logged
    and waited out; any other error ends the loop.
    """
    signals = [event for event in (wake, stopping) if event is not None]
    outage = 0.0
    while stopping is None or not stopping.is_set():
        if wake is not None:
            wake.clear()
        try:
            more = await step()
        except Exception as error:
            if not is_outage(error):
                raise
            outage = min(2 * outage or FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
            _log.warning("a server is away: trying again", seconds=outage, error=repr(error))
            await _rest(outage, [] if stopping is None else [stopping])
            continue
        outage = 0.0
        if not more:
            await _rest(period.total_seconds(), signals)


def is_outage(error: BaseException) -> bool:
    """Whether an error says that the database or the broker is away, so that trying again may help."""
    return isinstance(error, PublishError) or is_retryable(error)


async def _rest(seconds: float, events: list[asyncio.Event]) -> None:
    """Wait for the time, or until one of the events is set."""
    if not events:
        await asyncio.sleep(seconds)
        return
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
