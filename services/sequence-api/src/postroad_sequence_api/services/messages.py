"""The ledger, as it may be read."""

import zlib
from typing import Final
from uuid import UUID

from asyncpg import Record

from postroad_common.contracts import MessagesSettledByHandV1, SettledByHand
from postroad_common.db import queries
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import ConflictError, NotFoundError, SourceNotKeptError
from postroad_sequence_api.models.base import Page, page_of
from postroad_sequence_api.models.messages import (
    Attempt,
    Message,
    MessageDetail,
    MessagePick,
    Settlement,
    SettlementNew,
)
from postroad_sequence_api.services.reasons import sentences

_SQL: Final = queries("postroad_sequence_api", "messages")


async def listed(work: Work, pick: MessagePick) -> Page[Message]:
    """Messages in the ledger's own order: by enrollment, oldest first."""
    rows = await work.all(
        _SQL.messages,
        None,
        *(pick.after or (None, None)),
        pick.sequence_id,
        pick.contact_id,
        pick.enrollment_id,
        pick.state,
        pick.limit + 1,
    )
    return page_of((_view(row) for row in rows), pick.limit, cursor="cursor")


async def source(work: Work, message_id: UUID) -> bytes:
    """The message as it went over the wire (RFC 5322)."""
    row = await work.find(_SQL.source, message_id)
    if row is None:
        raise NotFoundError("message")
    if row["source"] is None:
        raise SourceNotKeptError(row["state"])
    return zlib.decompress(row["source"])


async def settle(work: Work, message_id: UUID, new: SettlementNew) -> Settlement:
    """Tell the sender, whose ledger it is, what somebody found out about an unknown message."""
    row = await work.find(_SQL.state, message_id)
    if row is None:
        raise NotFoundError("message")
    if row["state"] != "unknown":
        said = f"The message is {row['state']}: only one whose outcome is unknown can be settled."
        raise ConflictError("not_unknown", said, state=row["state"])
    item = SettledByHand(
        message_id=message_id,
        outcome=new.outcome,
        because=new.because,
        api_key_id=work.actor,
        requested_at=row["now"],
    )
    await work.say(MessagesSettledByHandV1(tenant_id=work.tenant_id, items=(item,)))
    return Settlement(
        message_id=message_id,
        outcome=new.outcome,
        because=new.because,
        requested_by=work.actor,
        requested_at=row["now"],
    )


async def get(work: Work, message_id: UUID) -> MessageDetail:
    """A message with all its attempts."""
    row = await work.find(_SQL.messages, message_id, None, None, None, None, None, None, 1)
    if row is None:
        raise NotFoundError("message")
    attempts = await work.all(_SQL.attempts, row["enrollment_id"], row["step_key"])
    return MessageDetail.of(
        row,
        reasons=sentences(row["reason"]),
        attempts=tuple(Attempt.of(attempt, reasons=sentences(attempt["reason"])) for attempt in attempts),
    )


def _view(row: Record) -> Message:
    return Message.of(row, reasons=sentences(row["reason"]))
