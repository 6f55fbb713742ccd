"""What the API tells of messages."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from postroad_common.contracts.base import Message, Part


class SettledByHand(Part):
    """What somebody found out about a message whose outcome is unknown, and where they saw it."""

    message_id: UUID
    outcome: Literal["sent", "not_sent"]
    because: str
    api_key_id: UUID | None
    requested_at: datetime


class MessagesSettledByHandV1(Message):
    """Messages of unknown outcome, settled by a person."""

    type: ClassVar[str] = "messages.settled_by_hand.v1"
    items: Annotated[tuple[SettledByHand, ...], Field(min_length=1, max_length=500)]
