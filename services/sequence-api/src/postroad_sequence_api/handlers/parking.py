"""/v1/operator/parking."""

from postroad_sequence_api.context import Context
from postroad_sequence_api.models.parking import Parking, ParkingPick, Replayed, ReplayNew
from postroad_sequence_api.services import parking


async def list_(context: Context, query: ParkingPick) -> Parking:
    """Show what is parked."""
    return await parking.listed(context, query)


async def replay(context: Context, body: ReplayNew) -> Replayed:
    """Give parked messages back to their queue."""
    return await parking.replay(context, body)
