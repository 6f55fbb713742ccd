"""What goes over the wire: a message body with its properties and headers."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from aiormq import spec

from postroad_common.amqp.topology import EXCHANGE
from postroad_common.contracts import Message
from postroad_common.ids import new_id

ATTEMPT: Final = "x-postroad-attempt"
REASON: Final = "x-postroad-reason"
ERROR: Final = "x-postroad-error"
FIRST_FAILED_AT: Final = "x-postroad-first-failed-at"
PARKED_AT: Final = "x-postroad-parked-at"
TRACEPARENT: Final = "traceparent"

CORRELATION_ID: Final[ContextVar[str | None]] = ContextVar("correlation_id", default=None)
"""Of the delivery in hand: what is published while handling it carries the same."""

_PERSISTENT: Final = 2


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message ready to publish. The id stays the same in every copy of it."""

    type: str
    body: bytes
    message_id: str = field(default_factory=lambda: str(new_id()))
    correlation_id: str | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    exchange: str = EXCHANGE
    routing_key: str | None = None

    @classmethod
    def of(cls, message: Message, *, parent: str | None = None, correlation_id: str | None = None) -> "Parcel":
        """A contract message, for the exchange."""
        headers = {} if parent is None else {TRACEPARENT: parent}
        return cls(message.type, message.to_bytes(), correlation_id=correlation_id, headers=headers)

    def to_queue(self, queue: str, headers: Mapping[str, Any]) -> "Parcel":
        """A copy for one queue, through the default exchange, with these headers instead."""
        return replace(self, exchange="", routing_key=queue, headers=headers)

    @property
    def destination(self) -> str:
        """The routing key."""
        return self.type if self.routing_key is None else self.routing_key

    def properties(self) -> spec.Basic.Properties:
        """The AMQP properties; persistent."""
        return spec.Basic.Properties(
            content_type="application/json",
            delivery_mode=_PERSISTENT,
            message_id=self.message_id,
            correlation_id=self.correlation_id or self.message_id,
            timestamp=datetime.now(UTC),
            message_type=self.type,
            headers=dict(self.headers),
        )
