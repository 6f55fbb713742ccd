"""/v1/webhook-sources."""

from aiohttp import web

from postroad_sequence_api.http import answer, context_of, desk_of, path_id, read_body
from postroad_sequence_api.models.webhook_sources import WebhookSourceNew
from postroad_sequence_api.services import webhook_sources


async def create(request: web.Request) -> web.Response:
    """Add a webhook source."""
    new = await read_body(request, WebhookSourceNew)
    async with desk_of(request).work() as work:
        return answer(await webhook_sources.create(work, new, context_of(request)), 201)


async def listed(request: web.Request) -> web.Response:
    """List webhook sources."""
    async with desk_of(request).work() as work:
        return answer(await webhook_sources.listed(work, context_of(request)))


async def get(request: web.Request) -> web.Response:
    """Show a webhook source."""
    source_id = path_id(request, "webhook source")
    async with desk_of(request).work() as work:
        return answer(await webhook_sources.get(work, source_id, context_of(request)))


async def delete(request: web.Request) -> web.Response:
    """End a webhook source."""
    source_id = path_id(request, "webhook source")
    async with desk_of(request).work() as work:
        await webhook_sources.delete(work, source_id)
    return web.Response(status=204)
