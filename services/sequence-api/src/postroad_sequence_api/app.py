"""The API as one table: method, path, who may, and what happens."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from aiohttp import web
from aiohttp.typedefs import Handler
from asyncpg import IntegrityConstraintViolationError

from postroad_sequence_api import browsers
from postroad_sequence_api.auth import Role
from postroad_sequence_api.compression import compress
from postroad_sequence_api.context import Context
from postroad_sequence_api.door import Door, Route
from postroad_sequence_api.endpoints import read
from postroad_sequence_api.errors import from_constraint
from postroad_sequence_api.handlers import (
    accounts,
    analytics,
    api_keys,
    attributes,
    contacts,
    enrollments,
    events,
    intents,
    jobs,
    messages,
    parking,
    restore,
    senders,
    sequences,
    suppressions,
    templates,
    tenants,
    verify,
    webhook_deliveries,
    webhook_sources,
    webhook_subscriptions,
)
from postroad_sequence_api.http import ALLOWANCE, CONTEXT
from postroad_sequence_api.models.events import Event
from postroad_sequence_api.models.jobs import Job
from postroad_sequence_api.openapi import add_description

_SUBSCRIPTION: Final = "/v1/webhook-subscriptions/{webhook_subscription_id}"

ROUTES: Final = (
    Route("POST", "/v1/tenants", "operator", tenants.create, status=201),
    Route("GET", "/v1/me", Role.viewer, tenants.me),
    Route("GET", "/v1/tenant", Role.viewer, tenants.get),
    Route("PATCH", "/v1/tenant", Role.owner, tenants.change, edits=True),
    Route("POST", "/v1/api-keys", Role.owner, api_keys.create, status=201),
    Route("GET", "/v1/api-keys", Role.owner, api_keys.list_),
    Route("GET", "/v1/api-keys/{api_key_id}", Role.owner, api_keys.get),
    Route("DELETE", "/v1/api-keys/{api_key_id}", Role.owner, api_keys.revoke),
    Route("POST", "/v1/contacts", Role.editor, contacts.create, status=201),
    Route("GET", "/v1/contacts", Role.viewer, contacts.list_),
    Route("POST", "/v1/contacts/import", Role.editor, contacts.import_, status=202, takes="text/csv", makes="/v1/jobs"),
    Route("POST", "/v1/contacts/batch", Role.editor, contacts.batch),
    Route("POST", "/v1/contacts/export", Role.editor, contacts.export, status=202, makes="/v1/jobs"),
    Route("POST", "/v1/contacts/erase", Role.owner, contacts.erase_many, status=202, makes="/v1/jobs"),
    Route("GET", "/v1/contacts/count", Role.viewer, contacts.count),
    Route("PUT", "/v1/contacts/external/{external_id}", Role.editor, contacts.put, upserts=True),
    Route("GET", "/v1/contacts/{contact_id}", Role.viewer, contacts.get),
    Route("PATCH", "/v1/contacts/{contact_id}", Role.editor, contacts.change, edits=True),
    Route("DELETE", "/v1/contacts/{contact_id}", Role.editor, contacts.delete, edits=True),
    Route("POST", "/v1/contacts/{contact_id}/erase", Role.owner, contacts.erase, status=202, makes="/v1/jobs"),
    Route("GET", "/v1/contacts/{contact_id}/timeline", Role.viewer, contacts.timeline),
    Route("POST", "/v1/accounts", Role.editor, accounts.create, status=201),
    Route("GET", "/v1/accounts", Role.viewer, accounts.list_),
    Route("PUT", "/v1/accounts/external/{external_id}", Role.editor, accounts.put, upserts=True),
    Route("GET", "/v1/accounts/{account_id}", Role.viewer, accounts.get),
    Route("PATCH", "/v1/accounts/{account_id}", Role.editor, accounts.change, edits=True),
    Route("DELETE", "/v1/accounts/{account_id}", Role.editor, accounts.delete, edits=True),
    Route("POST", "/v1/attributes", Role.editor, attributes.create, status=201),
    Route("GET", "/v1/attributes", Role.viewer, attributes.list_),
    Route("GET", "/v1/attributes/{attribute_id}", Role.viewer, attributes.get),
    Route("PATCH", "/v1/attributes/{attribute_id}", Role.editor, attributes.change, edits=True),
    Route("POST", "/v1/senders", Role.owner, senders.create, status=201),
    Route("GET", "/v1/senders", Role.viewer, senders.list_),
    Route("GET", "/v1/senders/{sender_id}", Role.viewer, senders.get),
    Route("PATCH", "/v1/senders/{sender_id}", Role.owner, senders.change, edits=True),
    Route("POST", "/v1/senders/{sender_id}/pause", Role.editor, senders.pause),
    Route("POST", "/v1/senders/{sender_id}/resume", Role.editor, senders.resume),
    Route("POST", "/v1/templates", Role.editor, templates.create, status=201),
    Route("GET", "/v1/templates", Role.viewer, templates.list_),
    Route("GET", "/v1/templates/{template_id}", Role.viewer, templates.get),
    Route("PUT", "/v1/templates/{template_id}", Role.editor, templates.change, edits=True),
    Route("DELETE", "/v1/templates/{template_id}", Role.editor, templates.delete, edits=True),
    Route("GET", "/v1/templates/{template_id}/versions", Role.viewer, templates.versions),
    Route("GET", "/v1/templates/{template_id}/versions/{version}", Role.viewer, templates.version),
    Route("POST", "/v1/templates/{template_id}/preview", Role.editor, templates.preview),
    Route("POST", "/v1/sequences", Role.editor, sequences.create, status=201),
    Route("GET", "/v1/sequences", Role.viewer, sequences.list_),
    Route("GET", "/v1/sequences/{sequence_id}", Role.viewer, sequences.get),
    Route("PUT", "/v1/sequences/{sequence_id}", Role.editor, sequences.change, edits=True),
    Route("POST", "/v1/sequences/{sequence_id}/clone", Role.editor, sequences.clone, status=201, makes="/v1/sequences"),
    Route("POST", "/v1/sequences/{sequence_id}/activate", Role.editor, sequences.activate, edits=True),
    Route("POST", "/v1/sequences/{sequence_id}/pause", Role.editor, sequences.pause),
    Route("POST", "/v1/sequences/{sequence_id}/resume", Role.editor, sequences.resume),
    Route("POST", "/v1/sequences/{sequence_id}/archive", Role.editor, sequences.archive),
    Route("GET", "/v1/sequences/{sequence_id}/versions", Role.viewer, sequences.versions),
    Route("GET", "/v1/sequences/{sequence_id}/versions/{version}", Role.viewer, sequences.version),
    Route("GET", "/v1/sequences/{sequence_id}/versions/{version}/diff", Role.viewer, sequences.diff),
    Route("GET", "/v1/sequences/{sequence_id}/stats", Role.viewer, sequences.statistics),
    Route("POST", "/v1/sequences/{sequence_id}/enrollments", Role.editor, enrollments.create),
    Route(
        "POST",
        "/v1/sequences/{sequence_id}/enrollments/bulk",
        Role.editor,
        enrollments.bulk,
        status=202,
        makes="/v1/jobs",
    ),
    Route(
        "POST",
        "/v1/sequences/{sequence_id}/enrollments/import",
        Role.editor,
        enrollments.import_,
        status=202,
        takes="text/csv",
        makes="/v1/jobs",
    ),
    Route("GET", "/v1/enrollments", Role.viewer, enrollments.list_),
    Route("GET", "/v1/enrollments/{enrollment_id}", Role.viewer, enrollments.get),
    Route("POST", "/v1/enrollments/{enrollment_id}/pause", Role.editor, enrollments.pause),
    Route("POST", "/v1/enrollments/{enrollment_id}/resume", Role.editor, enrollments.resume),
    Route("POST", "/v1/enrollments/{enrollment_id}/stop", Role.editor, enrollments.stop),
    Route("GET", "/v1/enrollments/{enrollment_id}/explain", Role.viewer, enrollments.explain),
    Route("GET", "/v1/enrollments/{enrollment_id}/timeline", Role.viewer, enrollments.timeline),
    Route("POST", "/v1/suppressions", Role.editor, suppressions.create, status=201),
    Route("GET", "/v1/suppressions", Role.viewer, suppressions.list_),
    Route("DELETE", "/v1/suppressions/{email}", Role.editor, suppressions.delete),
    Route("GET", "/v1/intents", Role.viewer, intents.list_),
    Route("GET", "/v1/intents/{intent_id}", Role.viewer, intents.get),
    Route("GET", "/v1/messages", Role.viewer, messages.list_),
    Route("GET", "/v1/messages/{message_id}", Role.viewer, messages.get),
    Route("POST", "/v1/messages/{message_id}/settle", Role.editor, messages.settle, status=202),
    Route("GET", "/v1/messages/{message_id}/source", Role.editor, messages.source, gives=(messages.RFC822,)),
    Route("GET", "/v1/analytics/overview", Role.viewer, analytics.overview),
    Route("GET", "/v1/analytics/sequences/{sequence_id}/steps", Role.viewer, analytics.steps),
    Route("GET", "/v1/analytics/sequences/{sequence_id}/daily", Role.viewer, analytics.daily),
    Route("GET", "/v1/events", Role.viewer, events.list_),
    Route("GET", "/v1/events/export", Role.viewer, events.export, gives=(events.NDJSON,), streams=Event),
    Route("POST", "/v1/webhook-sources", Role.owner, webhook_sources.create, status=201),
    Route("GET", "/v1/webhook-sources", Role.viewer, webhook_sources.list_),
    Route("GET", "/v1/webhook-sources/{webhook_source_id}", Role.viewer, webhook_sources.get),
    Route("DELETE", "/v1/webhook-sources/{webhook_source_id}", Role.owner, webhook_sources.delete),
    Route("GET", "/v1/jobs", Role.viewer, jobs.list_),
    Route("GET", "/v1/jobs/{job_id}", Role.viewer, jobs.get),
    Route("POST", "/v1/jobs/{job_id}/cancel", Role.editor, jobs.cancel),
    Route("GET", "/v1/jobs/{job_id}/events", Role.viewer, jobs.events, gives=("text/event-stream",), streams=Job),
    Route("GET", "/v1/jobs/{job_id}/report", Role.viewer, jobs.report, gives=("text/csv", "application/x-ndjson")),
    Route("POST", "/v1/webhook-subscriptions", Role.owner, webhook_subscriptions.create, status=201),
    Route("GET", "/v1/webhook-subscriptions", Role.viewer, webhook_subscriptions.list_),
    Route("GET", _SUBSCRIPTION, Role.viewer, webhook_subscriptions.get),
    Route("PATCH", _SUBSCRIPTION, Role.owner, webhook_subscriptions.change, edits=True),
    Route("DELETE", _SUBSCRIPTION, Role.owner, webhook_subscriptions.delete),
    Route("POST", _SUBSCRIPTION + "/test", Role.owner, webhook_subscriptions.test),
    Route("POST", _SUBSCRIPTION + "/rotate-secret", Role.owner, webhook_subscriptions.rotate_secret),
    Route("POST", _SUBSCRIPTION + "/replay", Role.owner, webhook_subscriptions.replay),
    Route("GET", _SUBSCRIPTION + "/deliveries", Role.viewer, webhook_subscriptions.deliveries),
    Route("GET", "/v1/webhook-deliveries/{webhook_delivery_id}", Role.viewer, webhook_deliveries.get),
    Route("POST", "/v1/webhook-deliveries/{webhook_delivery_id}/retry", Role.owner, webhook_deliveries.retry),
    Route("GET", "/v1/verify", Role.viewer, verify.verify),
    Route("GET", "/v1/operator/parking", "operator", parking.list_),
    Route("POST", "/v1/operator/parking/replay", "operator", parking.replay),
    Route("GET", "/v1/operator/restore", "operator", restore.status),
    Route("POST", "/v1/operator/restore/hold", "operator", restore.hold),
    Route("POST", "/v1/operator/restore/reconcile", "operator", restore.reconcile),
    Route("POST", "/v1/operator/restore/evidence", "operator", restore.evidence),
    Route("POST", "/v1/operator/restore/release", "operator", restore.release),
)


_ID: Final = "[0-9A-Fa-f-]{32,36}"


def add_routes(app: web.Application, context: Context) -> None:
    """Give an application the API."""
    app[CONTEXT] = context
    origins = frozenset(context.settings.cors_origins)
    app.middlewares.insert(0, browsers.cross_origin(origins))
    app.middlewares.extend((compress, constraint_middleware))
    app.on_response_prepare.append(_finish(origins))
    for route in ROUTES:
        app.router.add_route(route.method, _pattern(route), Door(route))
    add_description(app, ROUTES)


def _pattern(route: Route) -> str:
    """The path as the router matches it: an id is none of the words that stand at its place in other paths."""
    pattern = route.path
    for name, kind in read(route.handler, route.path).path.items():
        if kind is UUID:
            pattern = pattern.replace(f"{{{name}}}", f"{{{name}:{_ID}}}")
    return pattern


def _finish(origins: frozenset[str]) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """What every answer carries, problems and streams too."""

    async def finish(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        if (allowance := request.get(ALLOWANCE)) is not None:
            response.headers.update(allowance.headers())
        browsers.allow(request, response, origins)

    return finish


@web.middleware
async def constraint_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What a constraint of the database refused, as the client's conflict."""
    try:
        return await handler(request)
    except IntegrityConstraintViolationError as error:
        raise from_constraint(error) from error
