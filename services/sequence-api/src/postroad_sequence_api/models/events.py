"""Tracking events: what came back."""

import re
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field

from postroad_sequence_api.models.base import Query, View
from postroad_sequence_api.models.fields import Moment, cursor

EventType = Literal[
    "queued", "sent", "rejected", "failed", "bounced", "deferred", "delivered", "autoresponded",
    "opened", "clicked", "complained", "unsubscribed", "subscribed", "replied", "unknown",
]  # fmt: skip
_POSITION: Final = "[0-9]{1,18}"


def _read_position(value: str) -> int | None:
    return int(value) if re.fullmatch(_POSITION, value) else None


class EventExport(Query):
    """Which events to export."""

    after: Annotated[int, cursor(_POSITION, _read_position)] | None = None
    since: Moment | None = None
    """Those received at this time or later."""
    until: Moment | None = None
    """Those received before this time."""
    type: EventType | None = None
    sequence_id: UUID | None = None
    contact_id: UUID | None = None
    enrollment_id: UUID | None = None
    message_id: UUID | None = None


class EventPick(EventExport):
    """Which events to list."""

    limit: Annotated[int, Field(ge=1, le=1000, description="How many at most.")] = 50


class Event(View):
    """A tracking event. The ids are null as long as its message is not known."""

    id: UUID
    cursor: str
    """What to give as `after` to get the events behind this one."""
    type: EventType
    received_at: datetime
    occurred_at: datetime
    source: str
    message_id: UUID | None
    enrollment_id: UUID | None
    contact_id: UUID | None
    sequence_id: UUID | None
    step_key: str | None
    bounce_type: Literal["hard", "soft", "undetermined"] | None
    detail: str | None
    url: str | None
    machine: bool
    """By the ESP's word no person did it."""
