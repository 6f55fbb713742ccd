"""Errors that a client sees, as RFC 9457 problem details."""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from aiohttp import web
from opentelemetry import trace
from pydantic import ValidationError

from postroad_common.amqp.errors import CONNECTION_ERRORS, BrokerError
from postroad_common.db import RETRYABLE
from postroad_common.errors import words_of

_log = structlog.get_logger()
_TYPE_BASE: Final = "urn:postroad:problem:"
_RETRY_AFTER_SECONDS: Final = 2

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Problem(Exception):  # noqa: N818 - an answer, named as RFC 9457 names it
    """An answer other than success. code is for programs, title and detail are for people."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str = "",
        *,
        field: str | None = None,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(f"{status} {code}: {detail or title}")
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.field = field
        self.headers = headers or {}
        self.extra = extra

    def body(self) -> dict[str, Any]:
        """The members of the problem document."""
        members: dict[str, Any] = {
            "type": _TYPE_BASE + self.code,
            "title": self.title,
            "status": self.status,
            "code": self.code,
        }
        if self.detail:
            members["detail"] = self.detail
        if self.field is not None:
            members["field"] = self.field
        members.update(self.extra)
        context = trace.get_current_span().get_span_context()
        if context.trace_flags.sampled:
            members["instance"] = f"urn:postroad:trace:{context.trace_id:032x}"
        return members


def render(problem: Problem) -> web.Response:
    """The problem as a response."""
    return web.Response(
        status=problem.status,
        body=orjson.dumps(problem.body(), default=str),
        content_type="application/problem+json",
        headers=problem.headers,
    )


@web.middleware
async def problem_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Render what a handler raises: problems as they are, bad input as 422, an outage as 503, the rest as 500."""
    response = await _answered(request, handler)
    if not request.content.is_eof():
        # The rest of the body is not read, so no other request can follow it: the client is told (RFC 9112, 9.6).
        response.force_close()
    return response


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Problem as problem:
        return render(problem)
    except ValidationError as error:
        return render(invalid(error.errors(include_url=False, include_context=False, include_input=False)))
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        return render(_from_http(error))
    except (*RETRYABLE, *CONNECTION_ERRORS, BrokerError) as error:
        _log.warning("request failed for now", route=route_of(request), error=repr(error))
        return render(_unavailable())
    except Exception:  # noqa: BLE001 - the client gets a problem, the log the cause
        _log.exception("request failed", method=request.method, route=route_of(request))
        return render(Problem(500, "internal_error", "The service failed", "It is logged; trying again may help."))


def route_of(request: web.Request) -> str:
    """The route's pattern, for logs and metrics: the path itself may hold an address or a token that works."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "(none)"


def invalid(errors: Sequence[Any]) -> Problem:
    """422 from pydantic's list of errors."""
    named = [{"field": ".".join(str(part) for part in e["loc"]), "message": words_of(e)} for e in errors]
    first = named[0]
    detail = f"{first['field']}: {first['message']}" if first["field"] else first["message"]
    return Problem(422, "invalid", "The request is not valid", detail, field=first["field"] or None, errors=named)


def _from_http(error: web.HTTPException) -> Problem:
    phrase = HTTPStatus(error.status).phrase
    kept = {name: error.headers[name] for name in ("Allow", "Retry-After") if name in error.headers}
    return Problem(error.status, phrase.lower().replace(" ", "_").replace("-", "_"), phrase, headers=kept)


def _unavailable() -> Problem:
    return Problem(
        503,
        "unavailable",
        "A server behind this one does not answer",
        "Nothing is lost; send the request again.",
        headers={"Retry-After": str(_RETRY_AFTER_SECONDS)},
    )
