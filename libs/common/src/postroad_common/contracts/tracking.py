"""Hits that the tracker took while the database was away, and the events that it has stored."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from postroad_common.contracts.base import Message, Part


class TrackingHit(Part):
    """One request for a pixel or a link."""

    event_id: UUID
    kind: Literal["open", "click"]
    message_id: UUID
    received_at: datetime
    url: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    traceparent: str | None = None


class TrackingHitsV1(Message):
    """Hits of one tenant."""

    type: ClassVar[str] = "tracking.hits.v1"
    items: Annotated[tuple[TrackingHit, ...], Field(min_length=1, max_length=500)]


class RecordedEvent(Part):
    """One tracking event as it was stored."""

    event_id: UUID
    type: str
    """One of tracking.events.type; readers pass over those they do not know."""
    occurred_at: datetime
    message_id: UUID | None = None
    enrollment_id: UUID | None = None
    contact_id: UUID | None = None
    sequence_id: UUID | None = None
    step_key: str | None = None
    bounce_type: Literal["hard", "soft", "undetermined"] | None = None
    url: str | None = None
    machine: bool = False


class TrackingRecordedV1(Message):
    """Events about somebody were stored, or have found their message: one may be told of twice."""

    type: ClassVar[str] = "tracking.recorded.v1"
    items: Annotated[tuple[RecordedEvent, ...], Field(min_length=1, max_length=500)]
