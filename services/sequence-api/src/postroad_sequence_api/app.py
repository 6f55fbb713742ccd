"""The API as one table: method, path, who may, and what happens."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from aiohttp import web
from asyncpg import IntegrityConstraintViolationError

from postroad_sequence_api import auth
from postroad_sequence_api.auth import Role
from postroad_sequence_api.context import Context
from postroad_sequence_api.errors import from_constraint
from postroad_sequence_api.handlers import (
    contacts,
    enrollments,
    events,
    messages,
    parking,
    proofs,
    senders,
    sequences,
    suppressions,
    templates,
    tenants,
    webhook_sources,
)
from postroad_sequence_api.http import CALLER, CONTEXT, context_of

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.Response]]
Access: TypeAlias = Role | Literal["operator"]


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint. access is the least role that may, or the operator alone."""

    method: str
    path: str
    access: Access
    handler: Handler


ROUTES: Final = (
    Route("POST", "/v1/tenants", "operator", tenants.create),
    Route("GET", "/v1/me", Role.viewer, tenants.me),
    Route("POST", "/v1/api-keys", Role.owner, tenants.create_key),
    Route("GET", "/v1/api-keys", Role.owner, tenants.list_keys),
    Route("DELETE", "/v1/api-keys/{id}", Role.owner, tenants.revoke_key),
    Route("POST", "/v1/contacts", Role.editor, contacts.create),
    Route("GET", "/v1/contacts", Role.viewer, contacts.listed),
    Route("POST", "/v1/contacts/import", Role.editor, contacts.import_file),
    Route("GET", "/v1/contacts/{id}", Role.viewer, contacts.get),
    Route("PATCH", "/v1/contacts/{id}", Role.editor, contacts.change),
    Route("DELETE", "/v1/contacts/{id}", Role.editor, contacts.delete),
    Route("GET", "/v1/contacts/{id}/timeline", Role.viewer, contacts.timeline),
    Route("POST", "/v1/senders", Role.owner, senders.create),
    Route("GET", "/v1/senders", Role.viewer, senders.listed),
    Route("GET", "/v1/senders/{id}", Role.viewer, senders.get),
    Route("PATCH", "/v1/senders/{id}", Role.owner, senders.change),
    Route("POST", "/v1/senders/{id}/pause", Role.editor, senders.pause),
    Route("POST", "/v1/senders/{id}/resume", Role.editor, senders.resume),
    Route("POST", "/v1/templates", Role.editor, templates.create),
    Route("GET", "/v1/templates", Role.viewer, templates.listed),
    Route("GET", "/v1/templates/{id}", Role.viewer, templates.get),
    Route("PUT", "/v1/templates/{id}", Role.editor, templates.change),
    Route("DELETE", "/v1/templates/{id}", Role.editor, templates.delete),
    Route("POST", "/v1/templates/{id}/preview", Role.editor, templates.preview),
    Route("POST", "/v1/sequences", Role.editor, sequences.create),
    Route("GET", "/v1/sequences", Role.viewer, sequences.listed),
    Route("GET", "/v1/sequences/{id}", Role.viewer, sequences.get),
    Route("PUT", "/v1/sequences/{id}", Role.editor, sequences.change),
    Route("POST", "/v1/sequences/{id}/activate", Role.editor, sequences.activate),
    Route("POST", "/v1/sequences/{id}/pause", Role.editor, sequences.pause),
    Route("POST", "/v1/sequences/{id}/resume", Role.editor, sequences.resume),
    Route("POST", "/v1/sequences/{id}/archive", Role.editor, sequences.archive),
    Route("GET", "/v1/sequences/{id}/versions", Role.viewer, sequences.versions),
    Route("GET", "/v1/sequences/{id}/versions/{version}", Role.viewer, sequences.version),
    Route("GET", "/v1/sequences/{id}/stats", Role.viewer, sequences.statistics),
    Route("POST", "/v1/sequences/{id}/enrollments", Role.editor, enrollments.enroll),
    Route("GET", "/v1/enrollments", Role.viewer, enrollments.listed),
    Route("GET", "/v1/enrollments/{id}", Role.viewer, enrollments.get),
    Route("POST", "/v1/enrollments/{id}/pause", Role.editor, enrollments.pause),
    Route("POST", "/v1/enrollments/{id}/resume", Role.editor, enrollments.resume),
    Route("POST", "/v1/enrollments/{id}/stop", Role.editor, enrollments.stop),
    Route("GET", "/v1/enrollments/{id}/explain", Role.viewer, enrollments.explain),
    Route("GET", "/v1/enrollments/{id}/timeline", Role.viewer, enrollments.timeline),
    Route("POST", "/v1/suppressions", Role.editor, suppressions.add),
    Route("GET", "/v1/suppressions", Role.viewer, suppressions.listed),
    Route("DELETE", "/v1/suppressions/{email}", Role.editor, suppressions.lift),
    Route("GET", "/v1/messages", Role.viewer, messages.listed),
    Route("GET", "/v1/messages/{id}", Role.viewer, messages.get),
    Route("GET", "/v1/events", Role.viewer, events.listed),
    Route("POST", "/v1/webhook-sources", Role.owner, webhook_sources.create),
    Route("GET", "/v1/webhook-sources", Role.viewer, webhook_sources.listed),
    Route("GET", "/v1/webhook-sources/{id}", Role.viewer, webhook_sources.get),
    Route("DELETE", "/v1/webhook-sources/{id}", Role.owner, webhook_sources.delete),
    Route("GET", "/v1/verify", Role.viewer, proofs.verify),
    Route("GET", "/v1/operator/parking", "operator", parking.listed),
    Route("POST", "/v1/operator/parking/replay", "operator", parking.replay),
)


def add_routes(app: web.Application, context: Context) -> None:
    """Give an application the API."""
    app[CONTEXT] = context
    app.middlewares.append(constraint_middleware)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, _guarded(route))


def _guarded(route: Route) -> Handler:
    """The handler behind its door."""

    async def enter(request: web.Request) -> web.Response:
        context, token = context_of(request), auth.bearer(request.headers.get("Authorization"))
        if route.access == "operator":
            auth.check_operator(token, context.settings.operator_token.get_secret_value())
        else:
            caller = await auth.log_in(context.pool, token)
            caller.require(route.access)
            request[CALLER] = caller
        return await route.handler(request)

    return enter


@web.middleware
async def constraint_middleware(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """What a constraint of the database refused, as the client's conflict."""
    try:
        return await handler(request)
    except IntegrityConstraintViolationError as error:
        raise from_constraint(error) from error
