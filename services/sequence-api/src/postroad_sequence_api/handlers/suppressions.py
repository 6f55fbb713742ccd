"""/v1/suppressions."""

from postroad_sequence_api.context import Desk, Work
from postroad_sequence_api.errors import NotFoundError
from postroad_sequence_api.models.base import Page
from postroad_sequence_api.models.fields import normal_address
from postroad_sequence_api.models.suppressions import Suppression, SuppressionMade, SuppressionNew, SuppressionPick
from postroad_sequence_api.services import stops, suppressions


async def create(desk: Desk, body: SuppressionNew) -> SuppressionMade:
    """Suppress an address; answered when it holds."""
    stop = await stops.carry_out(desk, lambda work: suppressions.add(work, body))
    async with desk.work() as work:
        return SuppressionMade.of(vars(await suppressions.get(work, body.email)), stop=stop)


async def list_(work: Work, query: SuppressionPick) -> Page[Suppression]:
    """List suppressed addresses in their order."""
    return await suppressions.listed(work, query)


async def delete(work: Work, email: str) -> None:
    """Lift the suppression of an address that was set by hand."""
    try:
        address = normal_address(email)
    except ValueError as error:
        raise NotFoundError("suppression") from error
    await suppressions.lift(work, address)
