"""A delivery: one message as a handler gets it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiormq.abc import DeliveredMessage

from postroad_common.amqp.wire import ATTEMPT, TRACEPARENT, Parcel
from postroad_common.contracts import Message, from_bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message in hand."""

    message: Message
    attempt: int
    """1 at first; grows with each failure, not with retries that a handler asks for."""
    redelivered: bool
    """Somebody had it before and did not answer: it may be handled already, in part or in full."""
    traceparent: str | None
    correlation_id: str


def parcel_of(raw: DeliveredMessage) -> Parcel:
    """The message as it came, ready to be published again."""
    properties = raw.header.properties
    return Parcel(
        type=properties.message_type or "",
        body=raw.body,
        message_id=properties.message_id or "",
        correlation_id=properties.correlation_id,
        headers=properties.headers or {},
    )


def read(parcel: Parcel, *, redelivered: bool) -> Delivery:
    """Parse a message; raises ContractError."""
    traceparent = parcel.headers.get(TRACEPARENT)
    return Delivery(
        message=from_bytes(parcel.type, parcel.body),
        attempt=attempt_of(parcel.headers),
        redelivered=redelivered,
        traceparent=traceparent if isinstance(traceparent, str) else None,
        correlation_id=parcel.correlation_id or parcel.message_id,
    )


def attempt_of(headers: Mapping[str, Any]) -> int:
    """Our own count of attempts; 1 when there is none."""
    attempt = headers.get(ATTEMPT)
    return attempt if isinstance(attempt, int) and attempt > 0 else 1
