"""The way of every request: who calls, may they, how often, what is asked; once; and the answer."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID, uuid5

from aiohttp import web

from postroad_common.db import AnyConnection
from postroad_common.ids import new_id
from postroad_sequence_api import auth
from postroad_sequence_api.auth import Caller, Role
from postroad_sequence_api.context import Context, Desk, Last, Work
from postroad_sequence_api.endpoints import Access, Endpoint, Handler, read
from postroad_sequence_api.errors import BadRequestError, NotFoundError, RateLimitedError
from postroad_sequence_api.http import ALLOWANCE, CONTEXT, answer, parse, read_bytes, read_query
from postroad_sequence_api.idempotency import Once, hash_request, key_of
from postroad_sequence_api.models.base import Query, View

_NEW_TENANTS: Final = UUID("2c2f8f9e-2f0c-5b19-8a44-5f2f6a0f8c11")
_OPERATOR: Final = UUID(int=0)
_REVISIONS: Final = re.compile(r'(?:W/)?"[^"]*"(?:\s*,\s*(?:W/)?"[^"]*")*')
_REVISION: Final = re.compile(r'(W/)?"([^"]*)"')
_DIGITS: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint. access is the least role that may, or the operator alone.

    takes and gives name the media types of what is streamed, in or out; JSON needs no name. streams: what each line or
    event of such an answer is. edits: the handler compares an If-Match with the revision of what it changes. makes:
    under which path is what it makes, if not under its own. upserts: the answer's `created` says whether it is a 201.
    """

    method: str
    path: str
    access: Access
    handler: Handler
    status: int = 200
    takes: str | None = None
    gives: tuple[str, ...] = ()
    streams: type[View] | None = None
    edits: bool = False
    makes: str | None = None
    upserts: bool = False

    @property
    def scope(self) -> str:
        """The scope that a key with scopes needs: contacts:read, contacts:write."""
        return f"{read(self.handler, self.path).noun}:{'read' if self.access is Role.viewer else 'write'}"


class NothingMatchedError(RuntimeError):
    """A handler of a route that edits did not call work.match()."""


class Door:
    """What stands between a route and its handler."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._endpoint: Endpoint = read(route.handler, route.path)
        self._scope = route.scope
        given = self._endpoint.given
        self._reads_no_body = self._endpoint.body is None and "work" in given and "request" not in given
        self._least_role = Role.owner if route.access == "operator" else route.access

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        context, token = request.app[CONTEXT], auth.bearer(request.headers.get("Authorization"))
        if self._route.access == "operator":
            auth.check_operator(token, context.settings.operator_token.get_secret_value())
            return await self._serve(_Visit(request, context, None, _new_tenant(request)))
        key = auth.read_token(token)
        desk = Desk(context, key.tenant_id)
        if self._reads_no_body:
            # No waiting for the client, so one transaction can hold the log-in and the work.
            async with desk.work(_expected(request)) as work:
                visit = await self._admit(request, context, key, work.conn)
                work.actor = visit.actor
                return await self._in_one_transaction(visit, work, await self._arguments(visit))
        async with desk.work() as work:
            visit = await self._admit(request, context, key, work.conn)
        return await self._serve(visit)

    async def _admit(self, request: web.Request, context: Context, key: auth.Token, conn: AnyConnection) -> "_Visit":
        caller = await auth.log_in(conn, key)
        caller.require(self._least_role, self._scope)
        context.used_keys.note(caller.tenant_id, caller.api_key_id)
        if (allowance := context.limits.take(caller.api_key_id)) is not None:
            request[ALLOWANCE] = allowance
            if not allowance.allowed:
                raise RateLimitedError(allowance.reset_seconds)
        if not self._route.edits and "If-Match" in request.headers:
            # Whoever sends one relies on it.
            raise BadRequestError("if_match_unsupported", "This request takes no If-Match.")
        return _Visit(request, context, caller, caller.tenant_id)

    async def _serve(self, visit: "_Visit") -> web.StreamResponse:
        arguments = await self._arguments(visit)
        if "work" not in self._endpoint.given:
            return await self._in_its_own(visit, arguments)
        async with visit.desk.work(_expected(visit.request)) as work:
            return await self._in_one_transaction(visit, work, arguments)

    async def _arguments(self, visit: "_Visit") -> dict[str, Any]:
        endpoint, request = self._endpoint, visit.request
        found: dict[str, Any] = {
            name: _place(name, kind, request.match_info[name]) for name, kind in endpoint.path.items()
        }
        if endpoint.query is not None:
            found["query"] = read_query(request, endpoint.query)
        else:
            read_query(request, Query)
        if endpoint.body is not None:
            visit.body = await read_bytes(request)
            if visit.body.strip() or not endpoint.body_optional:
                found["body"] = parse(request, visit.body, endpoint.body)
        given = {"context": visit.context, "caller": visit.caller, "request": request, "desk": visit.desk}
        return found | {name: given[name] for name in endpoint.given if name != "work"}

    async def _in_one_transaction(self, visit: "_Visit", work: Work, arguments: dict[str, Any]) -> web.StreamResponse:
        once, keyring = self._once(visit), visit.context.keyring
        if once is not None and (earlier := await once.begin(work, keyring)) is not None:
            return earlier
        result: Any = await self._route.handler(work=work, **arguments)
        if self._route.edits and not work.matched:
            raise NothingMatchedError(self._route.path)
        response = self._answer(visit, result)
        if once is not None and isinstance(response, web.Response):
            await once.keep(work, response, keyring)
        return response

    async def _in_its_own(self, visit: "_Visit", arguments: dict[str, Any]) -> web.StreamResponse:
        once, keyring = self._once(visit), visit.context.keyring
        if once is None:
            result = await self._route.handler(**arguments)
            return await self._end(visit, result, once)
        async with visit.desk.work() as work:
            if (earlier := await once.begin(work, keyring)) is not None:
                return earlier
        async with once.under_way(visit.desk):
            result = await self._route.handler(**arguments)
            return await self._end(visit, result, once)

    async def _end(self, visit: "_Visit", result: Any, once: Once | None) -> web.StreamResponse:
        """The answer, kept in one transaction with the handler's last step if it has one."""
        if once is None and not isinstance(result, Last):
            return self._answer(visit, result)
        async with visit.desk.work(_expected(visit.request)) as work:
            response = self._answer(visit, await result.step(work) if isinstance(result, Last) else result)
            if self._route.edits and not work.matched:
                raise NothingMatchedError(self._route.path)
            if once is not None and isinstance(response, web.Response):
                await once.keep(work, response, visit.context.keyring)
        return response

    def _once(self, visit: "_Visit") -> Once | None:
        if visit.request.method != "POST" or (key := key_of(visit.request)) is None:
            return None
        api_key_id = visit.caller.api_key_id if visit.caller is not None else _OPERATOR
        return Once(visit.tenant_id, api_key_id, key, hash_request(visit.request, visit.body))

    def _answer(self, visit: "_Visit", result: View | web.StreamResponse | None) -> web.StreamResponse:
        if isinstance(result, web.StreamResponse):
            return result
        if result is None:
            return web.Response(status=HTTPStatus.NO_CONTENT)
        status = HTTPStatus.CREATED if self._route.upserts and getattr(result, "created", False) else self._route.status
        response = answer(result, status)
        created = getattr(result, "id", None)
        if self._route.status in {HTTPStatus.CREATED, HTTPStatus.ACCEPTED} and created is not None:
            response.headers["Location"] = f"{self._route.makes or visit.request.path}/{created}"
        return response


@dataclass(slots=True)
class _Visit:
    """A request that was let in. An operator has no tenant; the one it has here is the one it may be about to make."""

    request: web.Request
    context: Context
    caller: Caller | None
    tenant_id: UUID
    body: bytes = b""

    @property
    def desk(self) -> Desk:
        return Desk(self.context, self.tenant_id, self.actor)

    @property
    def actor(self) -> UUID | None:
        return self.caller.api_key_id if self.caller is not None else None


def _expected(request: web.Request) -> frozenset[int] | None:
    """The revisions in If-Match; None: none is asked for. Weak tags never match (RFC 9110 13.1.1)."""
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    if not _REVISIONS.fullmatch(header.strip()):
        raise BadRequestError("malformed_if_match", 'If-Match must be an ETag as it was answered, such as "3".')
    tags = _REVISION.findall(header)
    return frozenset(int(tag) for weak, tag in tags if not weak and _DIGITS.fullmatch(tag))


def _new_tenant(request: web.Request) -> UUID:
    """The id of the tenant that an operator is about to make: the same for the same Idempotency-Key."""
    key = key_of(request)
    return new_id() if key is None else uuid5(_NEW_TENANTS, key)


def _place(name: str, kind: type, text: str) -> UUID | int | str:
    """A parameter of the path. What is none names nothing, so it is not found."""
    if kind is UUID:
        try:
            return UUID(hex=text)
        except ValueError as error:
            raise NotFoundError(name.removesuffix("_id").replace("_", " ")) from error
    if kind is int:
        if not _DIGITS.fullmatch(text):
            raise NotFoundError(name.replace("_", " "))
        return int(text)
    return text
