"""/v1/webhook-sources."""

from uuid import UUID

from postroad_sequence_api.context import Context, Work
from postroad_sequence_api.models.webhook_sources import (
    WebhookSource,
    WebhookSourceList,
    WebhookSourceMade,
    WebhookSourceNew,
)
from postroad_sequence_api.services import webhook_sources


async def create(work: Work, context: Context, body: WebhookSourceNew) -> WebhookSourceMade:
    """Add a webhook source."""
    return await webhook_sources.create(work, body, context)


async def list_(work: Work, context: Context) -> WebhookSourceList:
    """List webhook sources."""
    return await webhook_sources.listed(work, context)


async def get(work: Work, context: Context, webhook_source_id: UUID) -> WebhookSource:
    """Show a webhook source."""
    return await webhook_sources.get(work, webhook_source_id, context)


async def delete(work: Work, webhook_source_id: UUID) -> None:
    """End a webhook source: what is posted to it from now on is refused."""
    await webhook_sources.delete(work, webhook_source_id)
