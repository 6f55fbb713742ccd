"""/v1/contacts."""

from aiohttp import web

from postroad_sequence_api.errors import UnsupportedMediaError
from postroad_sequence_api.http import answer, decoding, desk_of, path_id, read_body, read_query
from postroad_sequence_api.models.contacts import ContactChange, ContactNew, ContactPick
from postroad_sequence_api.services import contacts, imports, timelines


async def create(request: web.Request) -> web.Response:
    """Add a contact."""
    new = await read_body(request, ContactNew)
    async with desk_of(request).work() as work:
        return answer(await contacts.create(work, new), 201)


async def listed(request: web.Request) -> web.Response:
    """List contacts."""
    pick = read_query(request, ContactPick)
    async with desk_of(request).work() as work:
        return answer(await contacts.listed(work, pick))


async def get(request: web.Request) -> web.Response:
    """Show a contact."""
    contact_id = path_id(request, "contact")
    async with desk_of(request).work() as work:
        return answer(await contacts.get(work, contact_id))


async def change(request: web.Request) -> web.Response:
    """Change a contact."""
    contact_id, wanted = path_id(request, "contact"), await read_body(request, ContactChange)
    async with desk_of(request).work() as work:
        return answer(await contacts.change(work, contact_id, wanted))


async def delete(request: web.Request) -> web.Response:
    """Delete a contact that was never enrolled."""
    contact_id = path_id(request, "contact")
    async with desk_of(request).work() as work:
        await contacts.delete(work, contact_id)
    return web.Response(status=204)


async def import_file(request: web.Request) -> web.Response:
    """Import a CSV file."""
    if request.content_type != "text/csv" or (request.charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        raise UnsupportedMediaError("text/csv in UTF-8")
    with decoding():
        return answer(await imports.import_contacts(desk_of(request), request.content))


async def timeline(request: web.Request) -> web.Response:
    """Tell what happened to a contact."""
    contact_id = path_id(request, "contact")
    async with desk_of(request).work() as work:
        return answer(await timelines.of_contact(work, contact_id))
