"""What the tracker tells: what recipients and their mail servers did."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from postroad_common.contracts.base import Message, Part


class Signal(Part):
    """One tracking event, as far as others need it."""

    event_id: UUID
    occurred_at: datetime
    contact_id: UUID | None = None
    enrollment_id: UUID | None = None
    message_id: UUID | None = None
    bounce_type: Literal["hard", "soft", "undetermined"] | None = None
    url: str | None = None
    traceparent: str | None = None


Signals = Annotated[tuple[Signal, ...], Field(min_length=1, max_length=500)]


class ContactRepliedV1(Message):
    """Contacts answered a message."""

    type: ClassVar[str] = "contact.replied.v1"
    items: Signals


class ContactBouncedV1(Message):
    """Messages came back after their server had accepted them."""

    type: ClassVar[str] = "contact.bounced.v1"
    items: Signals


class ContactComplainedV1(Message):
    """Contacts called a message spam."""

    type: ClassVar[str] = "contact.complained.v1"
    items: Signals


class ContactUnsubscribedV1(Message):
    """Contacts unsubscribed."""

    type: ClassVar[str] = "contact.unsubscribed.v1"
    items: Signals


class ContactClickedV1(Message):
    """Contacts, or the scanners before them, followed a link."""

    type: ClassVar[str] = "contact.clicked.v1"
    items: Signals


class ContactOpenedV1(Message):
    """Contacts, or the proxies before them, loaded the open pixel."""

    type: ClassVar[str] = "contact.opened.v1"
    items: Signals


class Evidence(Part):
    """An event that shows what became of a message."""

    message_id: UUID
    event_id: UUID
    kind: Literal["delivered", "bounced", "opened", "clicked", "replied", "complained", "unsubscribed", "rejected"]
    occurred_at: datetime


class MessagesDeliveredV1(Message):
    """Events that settle messages whose outcome may be unknown."""

    type: ClassVar[str] = "messages.delivered.v1"
    items: Annotated[tuple[Evidence, ...], Field(min_length=1, max_length=500)]
