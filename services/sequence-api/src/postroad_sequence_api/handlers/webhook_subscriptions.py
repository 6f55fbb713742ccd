"""/v1/webhook-subscriptions."""

from uuid import UUID

from postroad_sequence_api.context import Context, Desk, Last, Work
from postroad_sequence_api.models.base import Page, Pick
from postroad_sequence_api.models.webhook_subscriptions import (
    SecretRotation,
    WebhookDelivery,
    WebhookDeliveryPick,
    WebhookReplay,
    WebhookReplayed,
    WebhookSubscription,
    WebhookSubscriptionChange,
    WebhookSubscriptionMade,
    WebhookSubscriptionNew,
    WebhookTestResult,
)
from postroad_sequence_api.services import webhook_subscriptions

_ONE_DAY = SecretRotation()


async def create(desk: Desk, body: WebhookSubscriptionNew) -> Last[WebhookSubscriptionMade]:
    """Subscribe a URL to events. The secret that signs them is shown this once."""
    return await webhook_subscriptions.create(desk, body)


async def list_(work: Work, query: Pick) -> Page[WebhookSubscription]:
    """List webhook subscriptions, oldest first."""
    return await webhook_subscriptions.listed(work, query)


async def get(work: Work, webhook_subscription_id: UUID) -> WebhookSubscription:
    """Show a webhook subscription."""
    return await webhook_subscriptions.get(work, webhook_subscription_id)


async def change(
    desk: Desk, webhook_subscription_id: UUID, body: WebhookSubscriptionChange
) -> Last[WebhookSubscription]:
    """Change a webhook subscription. Enabled again, it gets what waited."""
    return await webhook_subscriptions.change(desk, webhook_subscription_id, body)


async def delete(desk: Desk, webhook_subscription_id: UUID) -> None:
    """End a webhook subscription, its deliveries included."""
    await webhook_subscriptions.delete(desk, webhook_subscription_id)


async def test(desk: Desk, webhook_subscription_id: UUID) -> WebhookTestResult:
    """Post a webhook.test event now, and answer with what came back."""
    return await webhook_subscriptions.test(desk, webhook_subscription_id)


async def rotate_secret(
    work: Work, context: Context, webhook_subscription_id: UUID, body: SecretRotation = _ONE_DAY
) -> WebhookSubscriptionMade:
    """Sign with a new secret, shown this once; the old one signs too until the overlap is over."""
    return await webhook_subscriptions.rotate_secret(work, webhook_subscription_id, body, context.keyring)


async def deliveries(work: Work, webhook_subscription_id: UUID, query: WebhookDeliveryPick) -> Page[WebhookDelivery]:
    """List the deliveries of a webhook subscription, the latest first."""
    return await webhook_subscriptions.deliveries(work, webhook_subscription_id, query)


async def replay(work: Work, webhook_subscription_id: UUID, body: WebhookReplay) -> WebhookReplayed:
    """Post again what failed since a time."""
    return await webhook_subscriptions.replay(work, webhook_subscription_id, body)
