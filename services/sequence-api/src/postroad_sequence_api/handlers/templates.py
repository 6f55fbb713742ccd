"""/v1/templates."""

from aiohttp import web

from postroad_sequence_api.http import answer, context_of, desk_of, path_id, read_body, read_query
from postroad_sequence_api.models.base import Pick
from postroad_sequence_api.models.templates import PreviewNew, TemplateChange, TemplateNew
from postroad_sequence_api.services import templates


async def create(request: web.Request) -> web.Response:
    """Add a template."""
    new = await read_body(request, TemplateNew)
    async with desk_of(request).work() as work:
        return answer(await templates.create(work, new), 201)


async def listed(request: web.Request) -> web.Response:
    """List templates."""
    pick = read_query(request, Pick)
    async with desk_of(request).work() as work:
        return answer(await templates.listed(work, pick))


async def get(request: web.Request) -> web.Response:
    """Show a template in its current version."""
    template_id = path_id(request, "template")
    async with desk_of(request).work() as work:
        return answer(await templates.get(work, template_id))


async def change(request: web.Request) -> web.Response:
    """Make the next version of a template."""
    template_id, wanted = path_id(request, "template"), await read_body(request, TemplateChange)
    async with desk_of(request).work() as work:
        return answer(await templates.change(work, template_id, wanted))


async def delete(request: web.Request) -> web.Response:
    """Delete a template that no step uses."""
    template_id = path_id(request, "template")
    async with desk_of(request).work() as work:
        await templates.delete(work, template_id)
    return web.Response(status=204)


async def preview(request: web.Request) -> web.Response:
    """Show a template as a contact would get it."""
    template_id, new = path_id(request, "template"), await read_body(request, PreviewNew)
    unsubscribe_url = context_of(request).settings.tracking_url + "/u/preview"
    async with desk_of(request).work() as work:
        return answer(await templates.preview(work, template_id, new, unsubscribe_url))
