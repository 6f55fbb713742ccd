"""Webhook subscriptions: where a tenant wants to be told of events, and how the telling goes."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from postroad_common.db import queries
from postroad_common.ids import new_id
from postroad_common.sealing import KeyRing
from postroad_sequence_api.context import Desk, Last, Work
from postroad_sequence_api.errors import ConflictError, InvalidFieldError, NotFoundError
from postroad_sequence_api.models.base import Page, Pick, page_of
from postroad_sequence_api.models.webhook_subscriptions import (
    SecretRotation,
    WebhookAttempt,
    WebhookDelivery,
    WebhookDeliveryDetail,
    WebhookDeliveryPick,
    WebhookReplay,
    WebhookReplayed,
    WebhookSubscription,
    WebhookSubscriptionChange,
    WebhookSubscriptionMade,
    WebhookSubscriptionNew,
    WebhookTestResult,
)
from postroad_sequence_api.webhooks import happenings
from postroad_sequence_api.webhooks.secrets import seal
from postroad_sequence_api.webhooks.signed_posts import Target, post_signed
from postroad_sequence_api.webhooks.signing import new_secret

_SQL: Final = queries("postroad_sequence_api", "webhook_subscriptions")
_DELIVERIES: Final = queries("postroad_sequence_api", "webhook_deliveries")

MOST_PER_TENANT: Final = 50
REPLAY_AT_ONCE: Final = 10_000
_DELETE_AT_ONCE: Final = 5000


async def create(desk: Desk, new: WebhookSubscriptionNew) -> Last[WebhookSubscriptionMade]:
    """A subscription with a secret of its own; it is told of what happens from now on."""
    url = await _checked(desk, new.url)
    return Last(lambda work: _insert(work, new, url, desk.context.keyring))


async def _insert(work: Work, new: WebhookSubscriptionNew, url: str, keyring: KeyRing) -> WebhookSubscriptionMade:
    if await work.value(_SQL.count_subscriptions) >= MOST_PER_TENANT:
        said = f"A tenant has at most {MOST_PER_TENANT} webhook subscriptions."
        raise ConflictError("too_many", said, limit=MOST_PER_TENANT)
    subscription_id, secret = new_id(), new_secret()
    await work.do(
        _SQL.insert_subscription,
        subscription_id,
        url,
        list(dict.fromkeys(new.event_types)),
        new.description,
        seal(keyring, work.tenant_id, subscription_id, secret),
        new.enabled,
    )
    return await _made(work, subscription_id, secret)


async def get(work: Work, subscription_id: UUID) -> WebhookSubscription:
    """A subscription without its secrets."""
    row = await work.find(_SQL.subscriptions, subscription_id, None, 1)
    if row is None:
        raise NotFoundError("webhook subscription")
    return WebhookSubscription.of(row)


async def listed(work: Work, pick: Pick) -> Page[WebhookSubscription]:
    """Subscriptions, oldest first."""
    rows = await work.all(_SQL.subscriptions, None, pick.after, pick.limit + 1)
    return page_of((WebhookSubscription.of(row) for row in rows), pick.limit)


async def change(desk: Desk, subscription_id: UUID, wanted: WebhookSubscriptionChange) -> Last[WebhookSubscription]:
    """Change what is named, keep the rest. Enabling it posts what waits."""
    url = await _checked(desk, wanted.url) if "url" in wanted.model_fields_set else None
    return Last(lambda work: _update(work, subscription_id, wanted, url))


async def _update(
    work: Work, subscription_id: UUID, wanted: WebhookSubscriptionChange, url: str | None
) -> WebhookSubscription:
    standing = await work.find(_SQL.lock_subscription, subscription_id)
    if standing is None:
        raise NotFoundError("webhook subscription")
    work.match(standing["revision"])
    values: dict[str, Any] = {**standing, **wanted.model_dump(exclude_unset=True)}
    await work.do(
        _SQL.update_subscription,
        subscription_id,
        url or standing["url"],
        list(dict.fromkeys(values["event_types"])),
        values["description"],
        values["enabled"],
    )
    return await get(work, subscription_id)


async def delete(desk: Desk, subscription_id: UUID) -> None:
    """End a subscription; its deliveries go first, some at a time, as there may be many. Safe to repeat."""
    deleted = _DELETE_AT_ONCE
    while deleted == _DELETE_AT_ONCE:
        async with desk.work() as work:
            deleted = await work.value(_SQL.empty_subscription, subscription_id, _DELETE_AT_ONCE)
    async with desk.work() as work:
        if await work.value(_SQL.delete_subscription, subscription_id) is None:
            raise NotFoundError("webhook subscription")


async def rotate_secret(
    work: Work, subscription_id: UUID, rotation: SecretRotation, keyring: KeyRing
) -> WebhookSubscriptionMade:
    """Sign with a new secret, and for a while with the old one too."""
    secret = new_secret()
    sealed = seal(keyring, work.tenant_id, subscription_id, secret)
    overlap = timedelta(hours=rotation.overlap_hours)
    if await work.value(_SQL.rotate_secret, subscription_id, sealed, overlap) is None:
        raise NotFoundError("webhook subscription")
    return await _made(work, subscription_id, secret)


async def test(desk: Desk, subscription_id: UUID) -> WebhookTestResult:
    """Post a webhook.test event now, also to one that is disabled; what came back."""
    async with desk.work() as work:
        row = await work.find(_SQL.signing_secrets, subscription_id)
    if row is None:
        raise NotFoundError("webhook subscription")
    sealed = (row["secret_sealed"], row["previous_secret_sealed"])
    target = Target(desk.tenant_id, subscription_id, row["url"], sealed)
    event = happenings.event("webhook.test", new_id(), row["now"], desk.tenant_id, {"subscription_id": subscription_id})
    answer = await post_signed(desk.context.poster, desk.context.keyring, target, event.id, event.body())
    return WebhookTestResult(
        delivered=answer.error is None,
        latency_ms=round(answer.seconds * 1000),
        status=answer.status,
        error=answer.error,
        response=answer.response,
    )


async def deliveries(work: Work, subscription_id: UUID, pick: WebhookDeliveryPick) -> Page[WebhookDelivery]:
    """The deliveries of a subscription, the latest first."""
    await get(work, subscription_id)
    rows = await work.all(
        _DELIVERIES.deliveries, subscription_id, pick.after, pick.state, pick.event_type, pick.limit + 1
    )
    return page_of((WebhookDelivery.of(row) for row in rows), pick.limit)


async def delivery(work: Work, delivery_id: UUID) -> WebhookDeliveryDetail:
    """A delivery with what is posted and what came of each attempt."""
    row = await work.find(_DELIVERIES.delivery, delivery_id)
    if row is None:
        raise NotFoundError("webhook delivery")
    attempts = await work.all(_DELIVERIES.attempts, delivery_id)
    return WebhookDeliveryDetail.of(
        row, payload=orjson.loads(row["body"]), attempts_made=tuple(WebhookAttempt.of(one) for one in attempts)
    )


async def retry(work: Work, delivery_id: UUID) -> WebhookDeliveryDetail:
    """Post a delivery again now, delivered or not. One that is being posted is left alone."""
    await work.value(_DELIVERIES.retry, delivery_id)
    return await delivery(work, delivery_id)


async def replay(work: Work, subscription_id: UUID, wanted: WebhookReplay) -> WebhookReplayed:
    """Post again what failed since a time: what was given up, and what waits after a failure."""
    if not (await get(work, subscription_id)).enabled:
        raise ConflictError("disabled", "The subscription is disabled: enable it first.")
    replayed = await work.value(_DELIVERIES.replay, subscription_id, wanted.since, REPLAY_AT_ONCE)
    return WebhookReplayed(replayed=replayed, more=replayed == REPLAY_AT_ONCE)


async def _made(work: Work, subscription_id: UUID, secret: str) -> WebhookSubscriptionMade:
    row = await work.one(_SQL.subscriptions, subscription_id, None, 1)
    return WebhookSubscriptionMade.of(row, secret=secret)


async def _checked(desk: Desk, url: str) -> str:
    """The URL as it is dialed. The host's name server is the tenant's: no transaction may wait for it."""
    try:
        return str(await desk.context.poster.check(url))
    except ValueError as error:
        raise InvalidFieldError("url", str(error)) from error
