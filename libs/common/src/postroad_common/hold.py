"""Whether the database may send: a restored copy may not, until the operator has reconciled and released it."""

from datetime import timedelta
from typing import Any, Final

import structlog
from asyncpg import Pool

from postroad_common.db import queries
from postroad_common.lifecycle import Service
from postroad_common.metrics import DATABASE_HELD

EVERY: Final = timedelta(seconds=2)

_SQL: Final = queries("postroad_common", "hold")
_WHAT_TO_DO: Final = "nothing is sent: run `postroad restore status` and see docs/backup.md"
_log = structlog.get_logger()


class HoldWatch:
    """Shows the hold: in a metric, and in the log when it begins and ends.

    It is no readiness check: a process that waits for a release is as ready as can be, or no rollout would ever end.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._because: str | None = None

    async def look(self) -> None:
        """Ask the database."""
        because: str | None = await self._pool.fetchval(_SQL.hold)
        if because != self._because:
            if because is None:
                _log.info("the database is released")
            else:
                _log.warning(f"the database is held: {_WHAT_TO_DO}", because=because)
        self._because = because
        DATABASE_HELD.set(because is not None)


def watch_hold(service: Service[Any]) -> None:
    """Have a service that sends show the hold."""
    service.repeat(HoldWatch(service.pool).look, EVERY, "watch hold")
