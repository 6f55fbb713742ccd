"""The HTTP side of every service: problems, traces, metrics, and the endpoints that operators ask."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Middleware
from opentelemetry.trace import Span
from typing_extensions import override

from postroad_common import telemetry
from postroad_common.metrics import READY, REQUESTS, exposition
from postroad_common.problems import Handler, problem_middleware, route_of

Check = Callable[[], Awaitable[str | None]]
"""A readiness check: None when all is well, else what is wrong and what to do about it."""

_CHECK_SECONDS: Final = 2.0
_OPERATORS_PATHS: Final = frozenset({"/healthz", "/readyz", "/metrics"})
MAX_BODY_BYTES: Final = 1024 * 1024


class Readiness:
    """Named checks, asked all at once."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        """Ask this too."""
        self._checks[name] = check

    async def report(self) -> dict[str, Any]:
        """{"ready": ..., "checks": {name: {"ok": ..., "detail"?: ...}}}."""
        answers = await asyncio.gather(*(_ask(check) for check in self._checks.values()))
        for name, answer in zip(self._checks, answers, strict=True):
            READY.labels(name).set(answer is None)
        checks = {
            name: {"ok": True} if answer is None else {"ok": False, "detail": answer}
            for name, answer in zip(self._checks, answers, strict=True)
        }
        return {"ready": all(answer is None for answer in answers), "checks": checks}


class _NotHttp(logging.Filter):
    """Says of what is no HTTP request only that: its bytes may hold a key or an address, and it is no fault of ours."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.msg, record.args = "refused what is no HTTP request: %s", (type(error).__name__,)
            record.exc_info = record.exc_text = None
            record.levelno, record.levelname = logging.INFO, "INFO"
        return True


def server_log() -> logging.Logger:
    """What the HTTP server logs to."""
    log = logging.getLogger("aiohttp.server")
    if not log.filters:
        log.addFilter(_NotHttp())
    return log


def make_app(readiness: Readiness, *, max_body_bytes: int, trusts_callers_trace: bool) -> web.Application:
    """An application with the operators' endpoints; a service adds its routes."""
    app = web.Application(
        middlewares=[_observe(trusts_callers_trace=trusts_callers_trace), problem_middleware],
        client_max_size=max_body_bytes,
    )

    async def readyz(_request: web.Request) -> web.Response:
        report = await readiness.report()
        return _json(report, status=200 if report["ready"] else 503)

    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", _metrics)
    return app


def _observe(*, trusts_callers_trace: bool) -> Middleware:
    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in _OPERATORS_PATHS:
            return await handler(request)
        started = time.perf_counter()
        route = route_of(request)
        parent = request.headers.get("traceparent") if trusts_callers_trace else None
        with telemetry.root_span(f"{request.method} {route}", parent=parent) as span:
            response = await handler(request)
            _note(span, response.status)
        REQUESTS.labels(request.method, route, response.status).observe(time.perf_counter() - started)
        return response

    return observe


def _note(span: Span, status: int) -> None:
    if span.is_recording():
        span.set_attribute("http.response.status_code", status)


async def _healthz(_request: web.Request) -> web.Response:
    return _json({"alive": True})


async def _metrics(_request: web.Request) -> web.Response:
    return web.Response(body=exposition(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


async def _ask(check: Check) -> str | None:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return f"no answer in {_CHECK_SECONDS:g} s"


def _json(value: Any, *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")
