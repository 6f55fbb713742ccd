"""/v1/messages."""

from aiohttp import web

from postroad_sequence_api.http import answer, desk_of, path_id, read_query
from postroad_sequence_api.models.messages import MessagePick
from postroad_sequence_api.services import messages


async def listed(request: web.Request) -> web.Response:
    """List messages."""
    pick = read_query(request, MessagePick)
    async with desk_of(request).work() as work:
        return answer(await messages.listed(work, pick))


async def get(request: web.Request) -> web.Response:
    """Show a message with its attempts."""
    message_id = path_id(request, "message")
    async with desk_of(request).work() as work:
        return answer(await messages.get(work, message_id))
