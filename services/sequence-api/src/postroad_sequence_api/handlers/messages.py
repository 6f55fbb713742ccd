"""/v1/messages."""

from uuid import UUID

from postroad_sequence_api.context import Work
from postroad_sequence_api.models.base import Page
from postroad_sequence_api.models.messages import Message, MessageDetail, MessagePick
from postroad_sequence_api.services import messages


async def list_(work: Work, query: MessagePick) -> Page[Message]:
    """List messages in the ledger's own order."""
    return await messages.listed(work, query)


async def get(work: Work, message_id: UUID) -> MessageDetail:
    """Show a message with its attempts."""
    return await messages.get(work, message_id)
