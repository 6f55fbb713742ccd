"""Senders that rest: when a server will not have us, nobody's contact is to blame and no attempt is used up."""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

import structlog
from asyncpg import Pool

from postroad_common.db import is_retryable, queries, transaction
from postroad_engine.reasons import Reason, SenderPaused
from postroad_sender.smtp.classify import Pause

SENDER_STATE = queries("postroad_sender", "sender_state")
_log = structlog.get_logger()
_AGAIN_AFTER = 0.5
"""Seconds between tries while the database is away."""


@dataclass(frozen=True, slots=True)
class Rests:
    """How long each kind of rest lasts. An outage's doubles with each failure in a row, up to `outage_longest`."""

    outage: timedelta
    outage_longest: timedelta
    throttled: timedelta
    credentials: timedelta
    policy: timedelta

    def span(self, pause: Pause, failures: int) -> timedelta:
        """The rest after so many failures in a row, this one included."""
        match pause:
            case Pause.OUTAGE:
                return min(self.outage * (1 << min(failures - 1, 20)), self.outage_longest)
            case Pause.THROTTLED:
                return self.throttled
            case Pause.CREDENTIALS:
                return self.credentials
            case Pause.POLICY:
                return self.policy
            case _:
                assert_never(pause)


@dataclass(frozen=True, slots=True)
class Rest:
    """A rest that is in the database until `until`; `ends` is the same on this process's monotonic clock."""

    until: datetime
    reason: Reason
    ends: float

    @property
    def over(self) -> bool:
        """Whether the sender may be tried again."""
        return self.over_for(0.0)

    def over_for(self, seconds: float) -> bool:
        """Whether it ended at least that long ago."""
        return time.monotonic() >= self.ends + seconds

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why an item is held."""
        return SenderPaused(self.until), self.reason


async def begin_rest(pool: Pool, tenant_id: UUID, sender_id: UUID, span: timedelta, reason: Reason) -> Rest:
    """active -> resting, or resting for longer. Waits for a database that is away."""
    ends = time.monotonic() + span.total_seconds()
    while True:
        try:
            async with transaction(pool, tenant_id) as conn:
                await conn.execute(SENDER_STATE.pause, tenant_id, sender_id, span, [reason.to_json()])
                until = await conn.fetchval(SENDER_STATE.paused_until, tenant_id, sender_id)
        except Exception as error:
            if not is_retryable(error):
                raise
            _log.warning("the database is away: trying again", doing="pausing a sender", error=repr(error))
            await asyncio.sleep(_AGAIN_AFTER)
        else:
            return Rest(until, reason, ends)


async def end_rest(pool: Pool, tenant_id: UUID, sender_id: UUID) -> None:
    """Resting, its time over -> active. Only tidies up: a rest whose time is over holds nothing."""
    try:
        async with transaction(pool, tenant_id) as conn:
            await conn.execute(SENDER_STATE.clear, tenant_id, sender_id)
    except Exception as error:
        if not is_retryable(error):
            raise
        _log.warning("the database is away: a pause that is over stays listed", error=repr(error))
