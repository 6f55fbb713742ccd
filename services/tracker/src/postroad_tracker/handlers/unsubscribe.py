"""GET /u/{token} asks, POST /u/{token} acts: one click (RFC 8058) or the page's own form."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Final
from uuid import UUID

from aiohttp import web

from postroad_common.contracts.tokens import TokenKind, TrackingToken
from postroad_common.problems import Problem
from postroad_common.telemetry import span
from postroad_tracker import pages
from postroad_tracker.errors import StoreUnavailableError
from postroad_tracker.handlers.forms import asks_to_unsubscribe
from postroad_tracker.handlers.reading import Bodies, client_ip, user_agent, wants_html
from postroad_tracker.handlers.tokens import Tokens
from postroad_tracker.unsubscribe import Subscriber, Unsubscribes

_MAX_BODY: Final = 16 * 1024
_RETRY_AFTER: Final = 5

ON_THE_WIRE: Final = "Postroad-On-The-Wire"
"""The header that lists the messages still on the wire, comma-separated."""


class UnsubscribeHandlers:
    """The page and the act."""

    def __init__(
        self,
        tokens: Tokens,
        unsubscribes: Unsubscribes,
        bodies: Bodies,
        *,
        proxies: Sequence[IPv4Network | IPv6Network],
    ) -> None:
        self._tokens = tokens
        self._unsubscribes = unsubscribes
        self._bodies = bodies
        self._proxies = proxies

    async def page(self, request: web.Request) -> web.Response:
        """The question, also while the database is away: then without a name."""
        try:
            token = self._tokens.open(request.match_info["token"], TokenKind.UNSUBSCRIBE)
            subscriber = await self._unsubscribes.find(token)
        except Problem:
            return pages.not_found()
        except StoreUnavailableError:
            return pages.ask(None, None)
        if subscriber is None:
            return pages.not_found()
        return pages.ask(subscriber.address, subscriber.tenant_name)

    async def act(self, request: web.Request) -> web.Response:
        """Unsubscribe and say so once it is true: a page to a browser, JSON to a program. Safe to repeat."""
        html = wants_html(request)
        try:
            token = self._tokens.open(request.match_info["token"], TokenKind.UNSUBSCRIBE)
            await self._check_form(request)
            subscriber, listed = await self._act(request, token)
        except StoreUnavailableError:
            return _try_again(html=html)
        except Problem as problem:
            if html and problem.status == 404:
                return pages.not_found()
            raise
        return _done(subscriber, listed, html=html)

    async def _check_form(self, request: web.Request) -> None:
        body = await self._bodies.read(request, _MAX_BODY)
        if not asks_to_unsubscribe(request.headers.get("Content-Type", ""), body):
            raise Problem(400, "not_one_click", "The form does not say List-Unsubscribe=One-Click")

    async def _act(self, request: web.Request, token: TrackingToken) -> tuple[Subscriber, tuple[UUID, ...]]:
        subscriber = await self._unsubscribes.find(token)
        if subscriber is None:
            raise Problem(404, "not_found", "This link is not known")
        with span("tracker.unsubscribe", parent=token.traceparent):
            ip, agent = client_ip(request, self._proxies), user_agent(request)
            return subscriber, await self._unsubscribes.act(token, ip=ip, user_agent=agent)


def _done(subscriber: Subscriber, listed: Sequence[UUID], *, html: bool) -> web.Response:
    if html:
        response = pages.done(subscriber.address, subscriber.tenant_name, on_the_wire=len(listed))
    else:
        response = web.json_response({"unsubscribed": True, "on_the_wire": [str(id_) for id_ in listed]})
        response.headers["Cache-Control"] = "no-store"
    response.headers[ON_THE_WIRE] = ", ".join(str(id_) for id_ in listed)
    return response


def _try_again(*, html: bool) -> web.Response:
    if html:
        return pages.try_again(_RETRY_AFTER)
    raise Problem(
        429,
        "try_again",
        "Not unsubscribed yet",
        "A server behind this one does not answer. Nothing was done; send the request again.",
        headers={"Retry-After": str(_RETRY_AFTER)},
    )
