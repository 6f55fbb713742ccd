"""/v1/analytics."""

from uuid import UUID

from postroad_sequence_api.context import Desk
from postroad_sequence_api.models.analytics import DailyAnalytics, Overview, SequenceSpan, Span, StepAnalytics
from postroad_sequence_api.services import analytics


async def overview(desk: Desk, query: Span) -> Overview:
    """Count what all sequences sent and what came back."""
    async with desk.moment() as work:
        return await analytics.overview(work, query)


async def steps(desk: Desk, sequence_id: UUID, query: SequenceSpan) -> StepAnalytics:
    """Count what each step of a sequence sent and what came back."""
    async with desk.moment() as work:
        return await analytics.by_step(work, sequence_id, query)


async def daily(desk: Desk, sequence_id: UUID, query: SequenceSpan) -> DailyAnalytics:
    """Count what a sequence sent each day and what came back of it.

    What comes back counts for the day on which its message was sent: the days add up to the steps.
    """
    async with desk.moment() as work:
        return await analytics.by_day(work, sequence_id, query)
