"""HTTP to the API: what is safe to repeat is repeated with back-off, what is refused becomes an error with words."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from postroad.errors import ConfigurationError, PostroadError, ProblemError, UnexpectedAnswerError, UnreachableError

_RETRIED_STATUS = frozenset({429, 503})
_REPEATABLE = frozenset({"GET", "PUT", "DELETE"})
_LONGEST_PAUSE = 10.0


@dataclass(frozen=True)
class Patience:
    """How often to try, and the first pause in seconds; it doubles each time, with jitter."""

    tries: int = 5
    first_pause: float = 0.25


class Transport:
    """One API's address with one bearer token."""

    def __init__(
        self, url: str, token: str | None, *, timeout: float, patience: Patience, using: httpx.AsyncBaseTransport | None
    ) -> None:
        self._patience = patience
        self._url = url
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout, transport=using)
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise ConfigurationError(f"The address or the key cannot be used: {error}.") from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def call(
        self, method: str, path: str, *, body: Callable[[], AsyncIterator[bytes]] | None = None, **request: Any
    ) -> Any:
        """The answer's JSON, None when there is none. body gives what is uploaded, from its beginning each time.

        Raises ProblemError for a refusal, UnreachableError when nothing answers, UnexpectedAnswerError otherwise.
        """
        failure: PostroadError = UnreachableError("No try was made.")
        for attempt in range(self._patience.tries):
            if attempt:
                await asyncio.sleep(self._pause(attempt, failure))
            answer = await self._try(method, path, request if body is None else {**request, "content": body()})
            if not isinstance(answer, PostroadError):
                return _json(answer)
            failure = answer
        raise failure

    async def stream(self, path: str, *, accept: str) -> AsyncGenerator[bytes, None]:
        """What a download answers, part by part; raises as call does."""
        try:
            async with self._http.stream("GET", path, headers={"Accept": accept}) as response:
                if not response.is_success:
                    await response.aread()
                    raise _problem(response)
                async for part in response.aiter_bytes():
                    yield part
        except httpx.TransportError as error:
            raise UnreachableError(f"The download from {self._url} broke off ({type(error).__name__}).") from error

    async def _try(self, method: str, path: str, request: Mapping[str, Any]) -> httpx.Response | PostroadError:
        """The answer, or an error that is worth another try; raises what is not."""
        try:
            response = await self._http.request(method, path, **request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            return UnreachableError(f"Nothing answers at {self._url}. Is the API running, and is POSTROAD_URL right?")
        except httpx.UnsupportedProtocol as error:
            raise ConfigurationError(f"{self._url} is no address: it must begin with http:// or https://.") from error
        except httpx.TransportError as error:
            # The request may have been acted on: only what is the same twice is sent twice.
            lost = UnreachableError(f"The connection to {self._url} broke before the answer ({type(error).__name__}).")
            if method in _REPEATABLE or "Idempotency-Key" in request.get("headers", {}):
                return lost
            raise lost from error
        if response.is_success:
            return response
        problem = _problem(response)
        if response.status_code in _RETRIED_STATUS:
            return problem
        raise problem

    def _pause(self, attempt: int, failure: PostroadError) -> float:
        asked = failure.document.get("retry_after") if isinstance(failure, ProblemError) else None
        longest = min(self._patience.first_pause * 2 ** (attempt - 1), _LONGEST_PAUSE)
        drawn: float = longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads clients apart, guards nothing
        return max(drawn, min(float(asked), _LONGEST_PAUSE)) if asked else drawn


def _json(response: httpx.Response) -> Any:
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError as error:
        raise UnexpectedAnswerError(f"{response.url} did not answer JSON: is it Postroad's API?") from error


def _problem(response: httpx.Response) -> PostroadError:
    try:
        document = response.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return UnexpectedAnswerError(f"{response.url} answered {response.status_code}: is it Postroad's API?")
    retry_after = response.headers.get("Retry-After", "")
    if retry_after.isdigit():
        document = {**document, "retry_after": int(retry_after)}
    return ProblemError(response.status_code, document)
