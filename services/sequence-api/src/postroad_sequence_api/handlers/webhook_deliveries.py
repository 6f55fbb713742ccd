"""/v1/webhook-deliveries."""

from uuid import UUID

from postroad_sequence_api.context import Work
from postroad_sequence_api.models.webhook_subscriptions import WebhookDeliveryDetail
from postroad_sequence_api.services import webhook_subscriptions


async def get(work: Work, webhook_delivery_id: UUID) -> WebhookDeliveryDetail:
    """Show a webhook delivery with what is posted and what came of each attempt."""
    return await webhook_subscriptions.delivery(work, webhook_delivery_id)


async def retry(work: Work, webhook_delivery_id: UUID) -> WebhookDeliveryDetail:
    """Post a webhook delivery again now, delivered or not."""
    return await webhook_subscriptions.retry(work, webhook_delivery_id)
