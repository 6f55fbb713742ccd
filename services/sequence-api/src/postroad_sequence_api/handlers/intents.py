"""/v1/intents."""

from uuid import UUID

from postroad_sequence_api.context import Work
from postroad_sequence_api.models.base import Page
from postroad_sequence_api.models.intents import Intent, IntentPick
from postroad_sequence_api.services import intents


async def list_(work: Work, query: IntentPick) -> Page[Intent]:
    """List the pauses, resumes and stops that were asked for, oldest first."""
    return await intents.listed(work, query)


async def get(work: Work, intent_id: UUID) -> Intent:
    """Show an intent: when it was acknowledged, and what was on the wire then."""
    return await intents.get(work, intent_id)
