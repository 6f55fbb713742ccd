"""Tracking events: what came back."""

import re
from datetime import datetime
from typing import Annotated, Final, Literal, NamedTuple
from uuid import UUID

from typing_extensions import override

from postroad_sequence_api.models.base import Limit, Query, View
from postroad_sequence_api.models.fields import cursor

EventType = Literal[
    "queued", "sent", "rejected", "failed", "bounced", "deferred", "delivered", "autoresponded",
    "opened", "clicked", "complained", "unsubscribed", "subscribed", "replied", "unknown",
]  # fmt: skip
_CURSOR: Final = r"([0-9T:.-]{19,26}Z)_([0-9a-f-]{36})"


class EventCursor(NamedTuple):
    """The place of an event in the list: when we received it."""

    received_at: datetime
    event_id: UUID

    @override
    def __str__(self) -> str:
        return f"{self.received_at.isoformat().replace('+00:00', 'Z')}_{self.event_id}"


def _read_cursor(value: str) -> EventCursor | None:
    match = re.fullmatch(_CURSOR, value)
    return EventCursor(datetime.fromisoformat(match[1]), UUID(match[2])) if match is not None else None


class EventPick(Query):
    """Which events to list."""

    after: Annotated[EventCursor, cursor(_CURSOR, _read_cursor)] | None = None
    limit: Limit = 50
    type: EventType | None = None
    sequence_id: UUID | None = None
    contact_id: UUID | None = None
    enrollment_id: UUID | None = None


class Event(View):
    """A tracking event. The ids are null as long as its message is not known; machine: by the ESP's word no person."""

    id: UUID
    type: EventType
    received_at: datetime
    occurred_at: datetime
    """When it happened by the ESP's clock."""
    source: str
    message_id: UUID | None
    """Null, as the other ids, as long as the message is not known."""
    enrollment_id: UUID | None
    contact_id: UUID | None
    sequence_id: UUID | None
    step_key: str | None
    bounce_type: Literal["hard", "soft", "undetermined"] | None
    detail: str | None
    url: str | None
    machine: bool
    """By the ESP's word no person did it."""

    @property
    def cursor(self) -> EventCursor:
        """Its place in the list."""
        return EventCursor(self.received_at, self.id)
