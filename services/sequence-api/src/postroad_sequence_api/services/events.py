"""Tracking events, as they may be read."""

from typing import Final

from postroad_common.db import queries
from postroad_sequence_api.context import Work
from postroad_sequence_api.models.base import Page, page_of
from postroad_sequence_api.models.events import Event, EventPick

_SQL: Final = queries("postroad_sequence_api", "events")


async def listed(work: Work, pick: EventPick) -> Page[Event]:
    """Events in the order of arrival; those of a sequence, contact or enrollment have found their message."""
    place = (*(pick.after or (None, None)), pick.type)
    subject = (pick.sequence_id, pick.contact_id, pick.enrollment_id)
    if subject == (None, None, None):
        rows = await work.all(_SQL.events, *place, pick.limit + 1)
    else:
        rows = await work.all(_SQL.events_of, *place, *subject, pick.limit + 1)
    return page_of((Event.of(row) for row in rows), pick.limit, cursor="cursor")
