"""Each of the two clients over a network that does what a test says; one way of asking both."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from typing_extensions import override

from postroad import AsyncClient, Client, Patience

QUICK = Patience(tries=3, first_pause=0.001)
Step = httpx.Response | Exception | Callable[[], httpx.Response]

both = pytest.mark.parametrize("kind", [Client, AsyncClient])


@dataclass
class Network:
    """What a client is answered in turn, the last for ever, and what it asked."""

    steps: Sequence[Step]
    seen: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        step = self.steps[min(len(self.seen), len(self.steps)) - 1]
        if isinstance(step, Exception):
            raise step
        if callable(step):
            return step()
        # A client closes and reads the response it is given: each has one of its own.
        return httpx.Response(step.status_code, headers=step.headers, content=step.content)

    def headers(self, name: str) -> list[str | None]:
        """A header of each request."""
        return [request.headers.get(name) for request in self.seen]


@asynccontextmanager
async def client(kind: type[Client | AsyncClient], network: Network, patience: Patience = QUICK) -> Any:
    """One of the clients."""
    made = kind("http://api.example", "pr_key", patience=patience, transport=httpx.MockTransport(network))
    try:
        yield made
    finally:
        await result(made.close())


async def result(asked: Any) -> Any:
    """What a call gives, whether it is awaited or not."""
    return await asked if inspect.isawaitable(asked) else asked


async def listed(many: AsyncIterable[Any] | Iterable[Any]) -> list[Any]:
    """All that comes."""
    return [one async for one in many] if isinstance(many, AsyncIterable) else list(many)


def problem(status: int, code: str, headers: dict[str, str] | None = None, **members: object) -> httpx.Response:
    return httpx.Response(
        status, json={"title": code, "code": code, "status": status, **members}, headers=headers or {}
    )


class Breaks(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that breaks off behind these parts."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = parts

    @override
    def __iter__(self) -> Iterator[bytes]:
        yield from self._parts
        raise httpx.ReadError("broke off")

    @override
    async def __aiter__(self) -> Any:
        for part in self:
            yield part


@contextmanager
def slept(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The pauses between tries, which are not slept."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    with monkeypatch.context() as patched:
        patched.setattr("postroad.transport.time.sleep", pauses.append)
        patched.setattr("postroad.transport.asyncio.sleep", sleep)
        yield pauses
