"""Messages: the ledger of what was handed to a mail server, or was not."""

import re
from datetime import datetime
from typing import Annotated, Final, Literal, NamedTuple
from uuid import UUID

from typing_extensions import override

from postroad_sequence_api.models.base import Body, Limit, Query, View
from postroad_sequence_api.models.fields import Because, cursor

MessageState = Literal["transmitting", "held", "deferred", "accepted", "refused", "unknown", "cancelled"]
_CURSOR: Final = r"([0-9a-f-]{36})\.([a-z0-9][a-z0-9_-]{0,39})"


class MessageCursor(NamedTuple):
    """The place of a message in the list: the ledger's own order."""

    enrollment_id: UUID
    step_key: str

    @override
    def __str__(self) -> str:
        return f"{self.enrollment_id}.{self.step_key}"


def _read_cursor(value: str) -> MessageCursor | None:
    match = re.fullmatch(_CURSOR, value)
    return MessageCursor(UUID(match[1]), match[2]) if match is not None else None


class MessagePick(Query):
    """Which messages to list."""

    after: Annotated[MessageCursor, cursor(_CURSOR, _read_cursor)] | None = None
    limit: Limit = 50
    sequence_id: UUID | None = None
    contact_id: UUID | None = None
    enrollment_id: UUID | None = None
    state: MessageState | None = None


class Message(View):
    """The ledger row of one step of one enrollment."""

    id: UUID
    enrollment_id: UUID
    sequence_id: UUID
    version: int
    step_number: int
    step_key: str
    contact_id: UUID
    sender_id: UUID
    template_id: UUID | None
    template_version: int | None
    state: MessageState
    attempt: int
    recipient: str
    subject: str | None
    rfc_message_id: str
    provider_message_id: str | None
    due_at: datetime
    transmitting_at: datetime | None
    """When its hand-over was begun."""
    gated_at: datetime | None
    """When stops and suppressions were looked at for the last time before it."""
    settled_at: datetime | None
    reasons: tuple[str, ...]
    bounce_type: Literal["hard", "soft", "undetermined"] | None
    reply_code: int | None
    reply_status: str | None
    reply_text: str | None
    created_at: datetime

    @property
    def cursor(self) -> MessageCursor:
        """Its place in the list."""
        return MessageCursor(self.enrollment_id, self.step_key)


class Attempt(View):
    """One hand-over that was begun or settled."""

    attempt: int
    outcome: Literal["held", "deferred", "accepted", "refused", "unknown", "cancelled"]
    transmitting_at: datetime | None
    gated_at: datetime | None
    settled_at: datetime
    reasons: tuple[str, ...]
    reply_code: int | None
    reply_status: str | None
    reply_text: str | None


class MessageDetail(Message):
    """A message with all its attempts, oldest first."""

    attempts: tuple[Attempt, ...]


class SettlementNew(Body):
    """What became of a message whose outcome is unknown, from somebody who has looked."""

    outcome: Literal["sent", "not_sent"]
    """sent: the mail server took it. not_sent: it did not, or threw it away; it is not sent again by this."""
    because: Because
    """Where that was seen, such as the provider's log. It is shown with the message."""


class Settlement(View):
    """What somebody said of a message, on its way to the ledger."""

    message_id: UUID
    outcome: Literal["sent", "not_sent"]
    because: str
    requested_by: UUID | None
    """The API key."""
    requested_at: datetime
