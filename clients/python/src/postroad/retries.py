"""When a request is sent again, and how long to wait before: decided on values, for both clients."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from postroad.answers import problem_of
from postroad.errors import ConfigurationError, PostroadError, ProblemError, UnreachableError
from postroad.requests import Request

_NOT_DONE: Final = frozenset({429})  # refused before anything was done
_UNCERTAIN: Final = frozenset({502, 503, 504})  # a server behind does not answer, and may have done it
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_IN_PROGRESS: Final = "in_progress"


@dataclass(frozen=True)
class Patience:
    """How often to try, and the pauses between in seconds: the first one, doubled each time up to the longest.

    Each is shortened at random by up to half, so that clients spread. Retry-After is kept when it is longer; one that
    is longer than the longest pause ends the tries.
    """

    tries: int = 5
    first_pause: float = 0.25
    longest_pause: float = 60.0

    def pause(self, tries_made: int, draw: float) -> float:
        """Seconds to wait after so many tries; draw is from 0 to 1."""
        longest = min(self.first_pause * 2.0 ** (tries_made - 1), self.longest_pause)
        return longest * (1 - draw / 2)


class Attempts:
    """The tries of one request: told how each ended, it says how long to wait, or raises what it ends with."""

    def __init__(self, request: Request, patience: Patience, url: str) -> None:
        self._request = request
        self._patience = patience
        self._url = url
        self._made = 0

    def came_further(self) -> None:
        """Something arrived: what breaks later is a new misfortune."""
        self._made = 0

    def after_error(self, error: httpx.TransportError) -> float:
        """Seconds until the next try after one without an answer. Raises UnreachableError or ConfigurationError."""
        if isinstance(error, httpx.UnsupportedProtocol):
            raise ConfigurationError(f"{self._url} is no address: it must begin with http:// or https://.") from error
        if isinstance(error, _NOT_SENT):
            words = f"Nothing answers at {self._url}. Is the API running, and is POSTROAD_URL right?"
            return self._next(UnreachableError(words), error)
        lost = UnreachableError(f"The connection to {self._url} broke before the answer ({type(error).__name__}).")
        if not self._request.is_repeatable:
            raise lost from error
        return self._next(lost, error)

    def after_break(self, error: httpx.TransportError | None, *, resumable: bool) -> float:
        """Seconds until the next try after a stream broke off, or ended too early. Raises UnreachableError."""
        how = type(error).__name__ if error is not None else "it ended too early"
        lost = UnreachableError(f"The download from {self._url} broke off ({how}).")
        if not resumable:
            raise lost from error
        return self._next(lost, error)

    def after_refusal(self, response: httpx.Response) -> float:
        """Seconds until the next try after an answer that is none of success. Raises what it says."""
        problem = problem_of(response)
        if not self._is_passing(response.status_code, problem):
            raise problem
        asked = retry_after(response.headers, datetime.now(UTC)) or 0.0
        if asked > self._patience.longest_pause:
            raise problem
        return max(self._next(problem), asked)

    def _is_passing(self, status: int, problem: PostroadError) -> bool:
        if status in _NOT_DONE:
            return True
        if isinstance(problem, ProblemError) and problem.code == _IN_PROGRESS:
            return True
        return status in _UNCERTAIN and self._request.is_repeatable

    def _next(self, failure: PostroadError, cause: Exception | None = None) -> float:
        self._made += 1
        if self._made >= self._patience.tries:
            raise failure from cause
        return self._patience.pause(self._made, random.random())  # noqa: S311 - spreads clients apart, guards nothing


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds in Retry-After, which may also be a date (RFC 9110 10.2.3); None without one that can be read."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (TypeError, ValueError):  # no date, or one without a zone
        return None
