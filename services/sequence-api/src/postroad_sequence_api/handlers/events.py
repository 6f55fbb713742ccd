"""/v1/events."""

from postroad_sequence_api.context import Work
from postroad_sequence_api.models.base import Page
from postroad_sequence_api.models.events import Event, EventPick
from postroad_sequence_api.services import events


async def list_(work: Work, query: EventPick) -> Page[Event]:
    """List tracking events in the order of arrival."""
    return await events.listed(work, query)
