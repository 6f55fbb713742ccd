"""A fake of sequence-api: answers what a test put there. It knows no rules and proves nothing about the services."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.unit.described import answer_of


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    authorization: str | None


@dataclass
class FakeApi:
    """Answers by method and path (without /v1); of several answers each is given once, the last for ever."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    _answers: defaultdict[tuple[str, str], list[tuple[int, Any]]] = field(default_factory=lambda: defaultdict(list))

    def answer(self, method: str, path: str, body: Any, *, status: int = 200) -> None:
        """Put an answer there; what the API's description asks for besides is filled in."""
        self._answers[method, path].append((status, answer_of(method, f"/v1{path}", status, body)))

    def answer_list(self, path: str, *items: dict[str, Any]) -> None:
        """Put a list of one page there."""
        self.answer("GET", path, {"items": list(items), "next": None})

    def problem(self, method: str, path: str, status: int, code: str, **members: Any) -> None:
        """Put a problem document there."""
        self.answer(method, path, {"title": code, "code": code, "status": status, **members}, status=status)

    def bodies(self, method: str, path: str) -> list[Any]:
        """What was sent there."""
        return [asked.body for asked in self.asked if (asked.method, asked.path) == (method, path)]

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        is_json = request.content_type == "application/json" and request.can_read_body
        body = await request.json() if is_json else await request.read()
        path = request.path.removeprefix("/v1")
        self.asked.append(Asked(request.method, path, dict(request.query), body, request.headers.get("Authorization")))
        answers = self._answers.get((request.method, path))
        if not answers:
            return web.json_response({"title": f"no answer for {request.method} {path}", "code": "fake"}, status=404)
        status, answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return web.json_response(answer, status=status)


@contextmanager
def fake_api() -> Iterator[FakeApi]:
    """A running fake, on a loop and thread of its own: commands run a loop themselves."""
    api, loop, ready = FakeApi(), asyncio.new_event_loop(), threading.Event()

    async def serve() -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", api.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    def live() -> None:
        runner = loop.run_until_complete(serve())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=live)
    thread.start()
    ready.wait(10)
    try:
        yield api
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
