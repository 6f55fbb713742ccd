"""/v1/messages."""

from typing import Final
from uuid import UUID

from aiohttp import web

from postroad_sequence_api.context import Work
from postroad_sequence_api.models.base import Page
from postroad_sequence_api.models.messages import Message, MessageDetail, MessagePick, Settlement, SettlementNew
from postroad_sequence_api.services import messages

RFC822: Final = "message/rfc822"


async def list_(work: Work, query: MessagePick) -> Page[Message]:
    """List messages in the ledger's own order."""
    return await messages.listed(work, query)


async def get(work: Work, message_id: UUID) -> MessageDetail:
    """Show a message with its attempts."""
    return await messages.get(work, message_id)


async def source(work: Work, message_id: UUID) -> web.Response:
    """Download a message as it was handed to the mail server.

    Byte for byte as in RFC 5322, headers and all, of its last attempt. It holds links that act for the recipient, such
    as the one that unsubscribes: treat it as you would their mailbox. It is kept for as long as the sender is set to:
    30 days unless somebody has changed that.
    """
    content = await messages.source(work, message_id)
    headers = {"Content-Disposition": f'attachment; filename="{message_id}.eml"', "Cache-Control": "no-store"}
    return web.Response(body=content, content_type=RFC822, headers=headers)


async def settle(work: Work, message_id: UUID, body: SettlementNew) -> Settlement:
    """Settle a message whose outcome is unknown by what somebody found out.

    It becomes accepted or cancelled within moments, with who said so and why, unless the mail server or the provider
    has told by then. The sequence went on as if it was sent and stays where it is; nothing is sent again.
    """
    return await messages.settle(work, message_id, body)
