"""/v1/events."""

from aiohttp import web

from postroad_sequence_api.http import answer, desk_of, read_query
from postroad_sequence_api.models.events import EventPick
from postroad_sequence_api.services import events


async def listed(request: web.Request) -> web.Response:
    """List events."""
    pick = read_query(request, EventPick)
    async with desk_of(request).work() as work:
        return answer(await events.listed(work, pick))
