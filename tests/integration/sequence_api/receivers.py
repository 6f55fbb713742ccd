"""Receivers of webhooks that keep their own log, and a place where nothing may ever arrive."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from postroad_stack.eventually import eventually

OUTSIDE = "127.0.0.2"
"""Stands for the public internet: trusted by the processes under test."""
INSIDE = "127.0.0.1"
"""A private address like any other."""


@dataclass(frozen=True)
class Received:
    """A post as it arrived."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> Any:
        return json.loads(self.body)


Behaviour = Callable[[Received], Awaitable[web.StreamResponse]]


async def accept(_: Received) -> web.StreamResponse:
    return web.Response(status=204)


def answer(status: int, text: str = "", **headers: str) -> Behaviour:
    """Answer everything like this."""

    async def behave(_: Received) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=text, headers=named)

    return behave


async def stall(_: Received) -> web.StreamResponse:
    """Take the post and never answer."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


@dataclass
class Receiver:
    """A server that writes down what it gets before it does as it is told."""

    port: int = 0
    log: list[Received] = field(default_factory=list)
    behave: Behaviour = accept

    @property
    def url(self) -> str:
        return f"http://{OUTSIDE}:{self.port}/hook"

    def events(self, type_: str | None = None) -> list[Any]:
        """The events in order of arrival."""
        return [one.event for one in self.log if type_ is None or one.event["type"] == type_]

    async def received(self, count: int, timeout: float = 15) -> list[Received]:
        """Everything, once it is so much."""
        await eventually(lambda: len(self.log) >= count, timeout=timeout, reason=f"{count} posts")
        return self.log

    async def take(self, request: web.BaseRequest) -> web.StreamResponse:
        received = Received(dict(request.headers), await request.read())
        self.log.append(received)
        return await self.behave(received)


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on the outside."""
    taking = Receiver()
    runner = web.ServerRunner(web.Server(taking.take), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, OUTSIDE, 0)
    await site.start()
    taking.port = runner.addresses[0][1]
    try:
        yield taking
    finally:
        await runner.cleanup()


@dataclass
class Canary:
    """Counts whoever connects: here stands what only we can reach."""

    port: int = 0
    connections: int = 0

    async def arrive(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.close()


@asynccontextmanager
async def canary() -> AsyncIterator[Canary]:
    """A server on the inside, by both families where there are two."""
    counting = Canary()
    servers = [await asyncio.start_server(counting.arrive, INSIDE, 0)]
    counting.port = servers[0].sockets[0].getsockname()[1]
    with contextlib.suppress(OSError):  # no IPv6 here
        servers.append(await asyncio.start_server(counting.arrive, "::1", counting.port))
    try:
        yield counting
    finally:
        for server in servers:
            server.close()
            await server.wait_closed()
