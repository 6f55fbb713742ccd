"""What happened to a message, in one vocabulary for every provider and for our own pixel, links and pages."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256


class EventType(StrEnum):
    """What happened; tracking.events allows no other."""

    QUEUED = "queued"
    SENT = "sent"
    REJECTED = "rejected"
    FAILED = "failed"
    BOUNCED = "bounced"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    AUTORESPONDED = "autoresponded"
    OPENED = "opened"
    CLICKED = "clicked"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    SUBSCRIBED = "subscribed"
    REPLIED = "replied"
    UNKNOWN = "unknown"


class BounceType(StrEnum):
    """Whether trying again could help: hard is an address that is dead."""

    HARD = "hard"
    SOFT = "soft"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalisedEvent:
    """One event, bounded and clean: every text fits its column and PostgreSQL."""

    key: str
    """The same for every delivery of this event, and for no other event of the tenant."""
    type: EventType
    occurred_at: datetime | None
    """None when nobody trustworthy says: then it is the moment of storing."""
    message_ref: str | None = None
    """Our own reference to the message, as the provider carried it for us."""
    provider_message_id: str | None = None
    """The provider's id, in the form in which sending returned it."""
    in_reply_to: tuple[str, ...] = ()
    """Message-IDs that a reply or a report names, nearest first."""
    recipient: str | None = None
    """Whose address it is about, lower case: in a reply, the address that answered."""
    bounce_type: BounceType | None = None
    detail: str | None = None
    url: str | None = None
    machine: bool = False
    ip: str | None = None
    user_agent: str | None = None


def derived_key(esp: str, *parts: str | None) -> str:
    """The key of an event that its provider gave no id: a hash of what makes it this event."""
    digest = sha256()
    for part in parts:
        data = (part or "").encode()
        digest.update(len(data).to_bytes(4, "big") + data)
    return f"{esp}:{digest.hexdigest()}"
