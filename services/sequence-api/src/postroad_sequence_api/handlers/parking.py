"""/v1/operator/parking."""

from aiohttp import web

from postroad_sequence_api.http import answer, context_of, read_body, read_query
from postroad_sequence_api.models.parking import ParkingPick, ReplayNew
from postroad_sequence_api.services import parking


async def listed(request: web.Request) -> web.Response:
    """Show what is parked."""
    return answer(await parking.listed(context_of(request), read_query(request, ParkingPick)))


async def replay(request: web.Request) -> web.Response:
    """Give parked messages back to their queue."""
    return answer(await parking.replay(context_of(request), await read_body(request, ReplayNew)))
