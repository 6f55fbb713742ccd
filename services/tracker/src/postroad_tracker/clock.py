"""The database's time between two looks at it, so that this machine's clock decides nothing."""

import time
from datetime import UTC, datetime, timedelta


class DatabaseClock:
    """postroad.now() as it was last seen, moved on by monotonic time; this machine's before it was ever seen."""

    def __init__(self) -> None:
        self._seen = datetime.now(UTC)
        self._at = time.monotonic()

    def observe(self, now: datetime) -> None:
        """Take over a time that the database has just said."""
        self._seen, self._at = now, time.monotonic()

    def now(self) -> datetime:
        """Aware, UTC."""
        return self._seen + timedelta(seconds=time.monotonic() - self._at)
