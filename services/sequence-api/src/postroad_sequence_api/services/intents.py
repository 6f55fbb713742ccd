"""What was asked of sequences, enrollments, senders and addresses, as it may be read."""

from typing import Final
from uuid import UUID

from postroad_common.db import queries
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import NotFoundError
from postroad_sequence_api.models.base import Page, page_of
from postroad_sequence_api.models.intents import Intent, IntentPick

_SQL: Final = queries("postroad_sequence_api", "intents")


async def listed(work: Work, pick: IntentPick) -> Page[Intent]:
    """Intents, oldest first."""
    subject = (pick.sequence_id, pick.enrollment_id, pick.sender_id, pick.email)
    rows = await work.all(_SQL.intents, None, pick.after, *subject, pick.limit + 1)
    return page_of((Intent.of(row) for row in rows), pick.limit)


async def get(work: Work, intent_id: UUID) -> Intent:
    """One intent."""
    row = await work.find(_SQL.intents, intent_id, None, None, None, None, None, 1)
    if row is None:
        raise NotFoundError("intent")
    return Intent.of(row)
