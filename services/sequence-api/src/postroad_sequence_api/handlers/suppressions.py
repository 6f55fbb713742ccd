"""/v1/suppressions."""

from aiohttp import web

from postroad_sequence_api.errors import NotFoundError
from postroad_sequence_api.http import answer, desk_of, read_body, read_query
from postroad_sequence_api.models.fields import normal_address
from postroad_sequence_api.models.suppressions import SuppressionMade, SuppressionNew, SuppressionPick
from postroad_sequence_api.services import stops, suppressions


async def add(request: web.Request) -> web.Response:
    """Suppress an address; answered when it holds."""
    desk, new = desk_of(request), await read_body(request, SuppressionNew)
    stop = await stops.carry_out(desk, lambda work: suppressions.add(work, new))
    async with desk.work() as work:
        return answer(SuppressionMade.of(vars(await suppressions.get(work, new.email)), stop=stop), 201)


async def listed(request: web.Request) -> web.Response:
    """List suppressed addresses."""
    pick = read_query(request, SuppressionPick)
    async with desk_of(request).work() as work:
        return answer(await suppressions.listed(work, pick))


async def lift(request: web.Request) -> web.Response:
    """Lift the suppression of an address."""
    try:
        email = normal_address(request.match_info["email"])
    except ValueError as error:
        raise NotFoundError("suppression") from error
    async with desk_of(request).work() as work:
        await suppressions.lift(work, email)
    return web.Response(status=204)
