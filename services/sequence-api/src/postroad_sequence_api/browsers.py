"""What browsers ask: whether another site's page may call us (CORS, Fetch standard)."""

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_EXPOSED: Final = "ETag, Idempotent-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After"
_ALLOWED_HEADERS: Final = "Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID"
_ALLOWED_METHODS: Final = "GET, POST, PUT, PATCH, DELETE"
_PREFLIGHT_SECONDS: Final = "600"


def cross_origin(origins: frozenset[str]) -> Middleware:
    """Answers preflights. Keys travel in a header that a page must know, never in cookies: no credentials."""

    @web.middleware
    async def answer_preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if not asks or request.headers.get("Origin") not in origins:
            return await handler(request)
        headers = {
            "Access-Control-Allow-Methods": _ALLOWED_METHODS,
            "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
            "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
        }
        return web.Response(status=204, headers=headers)

    return answer_preflight


def allow(request: web.Request, response: web.StreamResponse, origins: frozenset[str]) -> None:
    """Let a page of these origins read the response; problems too, or nobody sees what was wrong."""
    if not origins:
        return
    response.headers.add("Vary", "Origin")
    origin = request.headers.get("Origin")
    if origin in origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
