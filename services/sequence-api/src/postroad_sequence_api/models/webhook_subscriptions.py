"""Webhook subscriptions: where events go, their deliveries, and what came of each attempt."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from pydantic import Field

from postroad_sequence_api.models.base import Body, Change, Pick, View
from postroad_sequence_api.models.fields import Moment, Secret, Text
from postroad_sequence_api.webhooks.destinations import MAX_URL_LENGTH
from postroad_sequence_api.webhooks.events import EventType

EventTypes = Annotated[tuple[EventType | Literal["*"], ...], Field(min_length=1, max_length=50)]
"""Event types, or "*" for all of them, those to come included."""
Url = Annotated[str, Field(max_length=MAX_URL_LENGTH, examples=["https://hooks.example.com/postroad"])]
"""A public https address; it is refused when it leads to a private one."""
DeliveryState: TypeAlias = Literal["pending", "in_flight", "delivered", "dead"]


class WebhookSubscriptionNew(Body):
    """A webhook subscription to add."""

    url: Url
    event_types: EventTypes
    description: Text = ""
    enabled: bool = True


class WebhookSubscriptionChange(Change):
    """What is to change of a webhook subscription; what is not named stays."""

    url: Url = ""
    event_types: EventTypes = ("*",)
    description: Text = ""
    enabled: bool = True


class WebhookSubscription(View):
    """A webhook subscription.

    disabled_reason: manual, by a person; failing, nothing was accepted for days; gone, the receiver said 410. What is
    pending waits until it is enabled again. While previous_secret_until is set, two secrets sign.
    """

    id: UUID
    url: str
    event_types: tuple[str, ...]
    description: str
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: Literal["manual", "failing", "gone"] | None
    failing_since: datetime | None
    held_until: datetime | None
    previous_secret_until: datetime | None
    revision: int
    created_at: datetime
    updated_at: datetime


class WebhookSubscriptionMade(WebhookSubscription):
    """A webhook subscription, its secret shown this once."""

    secret: Secret


class SecretRotation(Body):
    """For how long the old secret signs too."""

    overlap_hours: Annotated[int, Field(ge=0, le=168)] = 24


class WebhookDeliveryPick(Pick):
    """Which deliveries of a subscription to list, the latest first."""

    state: DeliveryState | None = None
    event_type: EventType | None = None


class WebhookDelivery(View):
    """One event on its way to one subscription; last_* tell of the last attempt that came to an end."""

    id: UUID
    subscription_id: UUID
    event_id: UUID
    event_type: str
    occurred_at: datetime
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    settled_at: datetime | None
    created_at: datetime
    last_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None


class WebhookAttempt(View):
    """What came of one post; response is the beginning of the answer's body."""

    attempt: int
    started_at: datetime
    latency_ms: int
    status: int | None
    error: str | None
    response: str


class WebhookDeliveryDetail(WebhookDelivery):
    """A delivery with what is posted, and its attempts, oldest first."""

    payload: dict[str, Any]
    attempts_made: tuple[WebhookAttempt, ...]


class WebhookTestResult(View):
    """What came of a webhook.test event that was posted just now."""

    delivered: bool
    latency_ms: int
    status: int | None
    error: str | None
    response: str


class WebhookReplay(Body):
    """Since when deliveries that failed are to be posted again."""

    since: Moment


class WebhookReplayed(View):
    """How many deliveries are posted again; more: as many as one call takes, call again for the rest."""

    replayed: int
    more: bool
