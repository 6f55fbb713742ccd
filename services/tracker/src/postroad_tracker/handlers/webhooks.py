"""POST /webhooks/{esp}/{source_ref}: where providers post."""

from typing import Final

import orjson
import structlog
from aiohttp import web

from postroad_common.errors import RefError
from postroad_common.ids import unpack_ref
from postroad_common.problems import Problem
from postroad_tracker.errors import StoreUnavailableError
from postroad_tracker.esp.model import WebhookRequest
from postroad_tracker.handlers.reading import Bodies
from postroad_tracker.webhooks import Taken, Webhooks

_log = structlog.get_logger()
_RETRY_AFTER: Final = 5


class WebhookHandlers:
    """The one endpoint of all ESPs."""

    def __init__(self, webhooks: Webhooks, bodies: Bodies, *, max_bytes: int) -> None:
        self._bodies = bodies
        self._webhooks = webhooks
        self._max_bytes = max_bytes

    async def post(self, request: web.Request) -> web.Response:
        """200 once all is durable. 429 is the one refusal after which every provider tries again, so trouble of
        ours is that and never a 5xx, after which some drop the event for good."""
        try:
            taken = await self._take(request)
        except (Problem, web.HTTPException):
            raise
        except StoreUnavailableError as error:
            raise _again() from error
        except Exception as error:
            _log.exception("webhook failed", path=request.path)
            raise _again() from error
        return web.Response(body=orjson.dumps(taken.to_json()), content_type="application/json")

    async def _take(self, request: web.Request) -> Taken:
        try:
            tenant_id, source_id = unpack_ref(request.match_info["source_ref"])
        except RefError as error:
            raise Problem(404, "not_found", "There is no such webhook source") from error
        esp, source = await self._webhooks.source(request.match_info["esp"], tenant_id, source_id)
        body = await self._bodies.read(request, self._max_bytes)
        headers = {name.lower(): value for name, value in request.headers.items()}
        return await self._webhooks.take(esp, source, WebhookRequest(headers, body))


def _again() -> Problem:
    return Problem(
        429,
        "try_again",
        "Not stored yet",
        "Nothing of it is known to be stored; send the request again.",
        headers={"Retry-After": str(_RETRY_AFTER)},
    )
