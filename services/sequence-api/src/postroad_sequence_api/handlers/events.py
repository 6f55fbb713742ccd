"""/v1/events."""

from typing import Final

from aiohttp import web

from postroad_sequence_api.context import Desk, Work
from postroad_sequence_api.models.base import Page
from postroad_sequence_api.models.events import Event, EventExport, EventPick
from postroad_sequence_api.services import events
from postroad_sequence_api.streaming import stream

NDJSON: Final = "application/x-ndjson"


async def list_(work: Work, query: EventPick) -> Page[Event]:
    """List tracking events in the order of the feed.

    To follow the feed, ask again with `after` set to the `cursor` of the last event that you have: none is missed, and
    none comes twice.
    """
    return await events.listed(work, query)


async def export(desk: Desk, request: web.Request, query: EventExport) -> web.StreamResponse:
    """Export tracking events as lines of JSON.

    All that are there when the request comes, as GET /v1/events shows them. If the connection breaks, go on with
    `after` set to the `cursor` of the last whole line.
    """
    return await stream(request, NDJSON, events.exported(desk, query))
