"""How often a key may ask: a bucket of tokens per API key, in this process."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Final
from uuid import UUID

_WINDOW_SECONDS: Final = 60
_MOST_KEYS: Final = 100_000  # beyond it the keys that were quiet longest begin anew, with a full bucket


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left to a key. allowed: this request; reset_seconds: until the bucket is full, or of a refused one until
    the next request."""

    allowed: bool
    quota: int
    remaining: int
    reset_seconds: int

    def headers(self) -> dict[str, str]:
        """RateLimit and RateLimit-Policy as in draft-ietf-httpapi-ratelimit-headers-10."""
        return {
            "RateLimit-Policy": f'"default";q={self.quota};w={_WINDOW_SECONDS}',
            "RateLimit": f'"default";r={self.remaining};t={self.reset_seconds}',
        }


class RateLimits:
    """Buckets that hold a minute's quota and fill evenly. Several processes have a bucket each."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._quota = per_minute
        self._per_second = per_minute / _WINDOW_SECONDS
        self._clock = clock
        self._buckets: OrderedDict[UUID, tuple[float, float]] = OrderedDict()

    def take(self, api_key_id: UUID) -> Allowance | None:
        """Take a token. None: there is no limit."""
        if self._quota == 0:
            return None
        now = self._clock()
        tokens, then = self._buckets.pop(api_key_id, (float(self._quota), now))
        tokens = min(float(self._quota), tokens + (now - then) * self._per_second)
        allowed = tokens >= 1
        left = tokens - 1 if allowed else tokens
        self._buckets[api_key_id] = (left, now)
        if len(self._buckets) > _MOST_KEYS:
            self._buckets.popitem(last=False)
        missing = self._quota - left if allowed else 1 - left
        return Allowance(allowed, self._quota, int(left), ceil(missing / self._per_second))
