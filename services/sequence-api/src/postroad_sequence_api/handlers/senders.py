"""/v1/senders."""

from aiohttp import web

from postroad_sequence_api.http import answer, context_of, desk_of, path_id, read_body, read_query
from postroad_sequence_api.models.base import Pick
from postroad_sequence_api.models.senders import SenderChange, SenderNew, SenderPaused
from postroad_sequence_api.services import senders, stops


async def create(request: web.Request) -> web.Response:
    """Add a sender."""
    new = await read_body(request, SenderNew)
    async with desk_of(request).work() as work:
        return answer(await senders.create(work, new, context_of(request).keyring), 201)


async def listed(request: web.Request) -> web.Response:
    """List senders."""
    pick = read_query(request, Pick)
    async with desk_of(request).work() as work:
        return answer(await senders.listed(work, pick))


async def get(request: web.Request) -> web.Response:
    """Show a sender."""
    sender_id = path_id(request, "sender")
    async with desk_of(request).work() as work:
        return answer(await senders.get(work, sender_id))


async def change(request: web.Request) -> web.Response:
    """Change a sender."""
    sender_id, wanted = path_id(request, "sender"), await read_body(request, SenderChange)
    async with desk_of(request).work() as work:
        return answer(await senders.change(work, sender_id, wanted, context_of(request).keyring))


async def pause(request: web.Request) -> web.Response:
    """Pause a sender; answered when it holds."""
    desk, sender_id = desk_of(request), path_id(request, "sender")
    stop = await stops.carry_out(desk, lambda work: senders.pause(work, sender_id))
    async with desk.work() as work:
        return answer(SenderPaused.of(vars(await senders.get(work, sender_id)), stop=stop))


async def resume(request: web.Request) -> web.Response:
    """Resume a sender."""
    sender_id = path_id(request, "sender")
    async with desk_of(request).work() as work:
        return answer(await senders.resume(work, sender_id))
