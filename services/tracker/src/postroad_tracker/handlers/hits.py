"""GET /o/{token}: the open pixel. GET /c/{token}: the click redirect."""

import base64
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Final, Literal
from urllib.parse import quote, urlsplit

from aiohttp import web
from opentelemetry.trace import SpanKind

from postroad_common.contracts import TrackingHit
from postroad_common.contracts.tokens import TokenKind, TrackingToken
from postroad_common.ids import new_id
from postroad_common.problems import Problem
from postroad_common.telemetry import current_traceparent, span
from postroad_tracker import pages
from postroad_tracker.clock import DatabaseClock
from postroad_tracker.handlers.reading import client_ip, user_agent, wants_html
from postroad_tracker.handlers.tokens import Tokens
from postroad_tracker.hits import Hits

_PIXEL: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_NEVER_STORED: Final = {
    "Cache-Control": "no-store, no-cache, must-revalidate, max-age=0",
    "Pragma": "no-cache",
    "Expires": "0",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "no-referrer",
}


class HitHandlers:
    """Opens and clicks."""

    def __init__(
        self, tokens: Tokens, hits: Hits, clock: DatabaseClock, *, proxies: Sequence[IPv4Network | IPv6Network]
    ) -> None:
        self._tokens = tokens
        self._hits = hits
        self._clock = clock
        self._proxies = proxies

    async def open(self, request: web.Request) -> web.Response:
        """The picture, once the open is recorded. HEAD is a look by a program and counts nothing."""
        token = self._tokens.open(request.match_info["token"], TokenKind.OPEN)
        if request.method == "GET":
            await self._record(request, token, "open")
        return web.Response(body=_PIXEL, content_type="image/gif", headers=_NEVER_STORED)

    async def click(self, request: web.Request) -> web.Response:
        """302 to the URL that is sealed in the token, and to no other."""
        try:
            token = self._tokens.open(request.match_info["token"], TokenKind.CLICK)
            location = safe_location(token.url)
        except Problem:
            if wants_html(request):
                return pages.not_found()
            raise
        if request.method == "GET":
            await self._record(request, token, "click")
        return web.Response(status=302, headers={**_NEVER_STORED, "Location": location})

    async def _record(self, request: web.Request, token: TrackingToken, kind: Literal["open", "click"]) -> None:
        with span(f"tracker.{kind}", parent=token.traceparent, kind=SpanKind.SERVER):
            hit = TrackingHit(
                event_id=new_id(),
                kind=kind,
                message_id=token.message_id,
                received_at=self._clock.now(),
                url=token.url,
                ip=client_ip(request, self._proxies),
                user_agent=user_agent(request),
                traceparent=current_traceparent(),
            )
            await self._hits.record(token.tenant_id, hit)


def safe_location(url: str | None) -> str:
    """The URL as a header may carry it: http or https, a host, only ASCII; raises Problem 404."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or not (url or "").isprintable():
        raise Problem(404, "not_found", "This link is not known")
    return quote(url or "", safe="!#$%&'()*+,/:;=?@[]~")
