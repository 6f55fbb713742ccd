"""Opens and clicks that the tracker took while the database was away, to be stored when it is back."""

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
