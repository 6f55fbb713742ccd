"""The events that can be subscribed to, each a model: what is posted, and the catalogue of docs/webhook-events.md.

The shape is that of Standard Webhooks: type, timestamp, data, with an id beside them. Data holds ids and facts, no
address and no text of a mail; what more is wanted is read from the API. Within a type only fields are added.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, get_args
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from postroad_sequence_api.models.jobs import JobKind

BounceType: TypeAlias = Literal["hard", "soft", "undetermined"]


class EventData(BaseModel):
    """What an event is about."""

    model_config = ConfigDict(frozen=True)


class MessageData(EventData):
    """A message. Events that came from outside and found no message of ours may know the contact alone."""

    message_id: UUID | None
    contact_id: UUID | None
    enrollment_id: UUID | None
    sequence_id: UUID | None
    step_key: str | None


class BounceData(MessageData):
    """A message that was not delivered; hard: the address is dead."""

    bounce_type: BounceType | None


class EngagementData(MessageData):
    """Something that was done with a message; machine: the provider says by a program, such as a mail scanner."""

    machine: bool


class ClickData(EngagementData):
    """A link that was followed."""

    url: str | None


class EnrollmentData(EventData):
    """An enrollment."""

    enrollment_id: UUID
    contact_id: UUID
    sequence_id: UUID
    version: int


class ContactData(EventData):
    """A contact."""

    contact_id: UUID


class JobData(EventData):
    """A job; counts holds how many had which result, error_code why it failed."""

    job_id: UUID
    kind: JobKind
    counts: dict[str, int]
    error_code: str | None


class SubscriptionData(EventData):
    """A webhook subscription that was disabled by us; failing: nothing was accepted for days; gone: it said 410."""

    subscription_id: UUID
    url: str
    reason: Literal["failing", "gone"]


class TryoutData(EventData):
    """The subscription that is tried out."""

    subscription_id: UUID


class WebhookEvent(BaseModel):
    """One event. id is the same for every delivery of it; timestamp is when it happened."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    type: str
    timestamp: datetime
    tenant_id: UUID

    def body(self) -> bytes:
        """What is posted: JSON in UTF-8."""
        return self.__pydantic_serializer__.to_json(self)


class MessageAccepted(WebhookEvent):
    """The mail server took a message."""

    type: Literal["message.accepted"] = "message.accepted"
    data: MessageData


class MessageRefused(WebhookEvent):
    """The mail server refused a message for good."""

    type: Literal["message.refused"] = "message.refused"
    data: BounceData


class MessageUnknown(WebhookEvent):
    """The hand-over of a message was cut off: the mail server may have it or not. It is not sent again."""

    type: Literal["message.unknown"] = "message.unknown"
    data: MessageData


class MessageCancelled(WebhookEvent):
    """A message was not sent, because of a pause, a stop or a suppression."""

    type: Literal["message.cancelled"] = "message.cancelled"
    data: MessageData


class MessageDelivered(WebhookEvent):
    """The recipient's server took a message, says the provider."""

    type: Literal["message.delivered"] = "message.delivered"
    data: MessageData


class MessageDeferred(WebhookEvent):
    """The recipient's server put a message off; the provider tries again."""

    type: Literal["message.deferred"] = "message.deferred"
    data: MessageData


class MessageBounced(WebhookEvent):
    """A message came back after it had been accepted."""

    type: Literal["message.bounced"] = "message.bounced"
    data: BounceData


class MessageRejected(WebhookEvent):
    """The provider did not pass a message on."""

    type: Literal["message.rejected"] = "message.rejected"
    data: MessageData


class MessageFailed(WebhookEvent):
    """The provider failed to send a message."""

    type: Literal["message.failed"] = "message.failed"
    data: MessageData


class MessageOpened(WebhookEvent):
    """The open pixel of a message was loaded."""

    type: Literal["message.opened"] = "message.opened"
    data: EngagementData


class MessageClicked(WebhookEvent):
    """A link of a message was followed."""

    type: Literal["message.clicked"] = "message.clicked"
    data: ClickData


class MessageReplied(WebhookEvent):
    """A person answered a message."""

    type: Literal["message.replied"] = "message.replied"
    data: MessageData


class MessageAutoresponded(WebhookEvent):
    """A program answered a message, such as an out-of-office notice."""

    type: Literal["message.autoresponded"] = "message.autoresponded"
    data: MessageData


class MessageComplained(WebhookEvent):
    """The recipient called a message spam."""

    type: Literal["message.complained"] = "message.complained"
    data: MessageData


class MessageUnsubscribed(WebhookEvent):
    """The recipient unsubscribed."""

    type: Literal["message.unsubscribed"] = "message.unsubscribed"
    data: MessageData


class EnrollmentCreated(WebhookEvent):
    """A contact was enrolled in a sequence."""

    type: Literal["enrollment.created"] = "enrollment.created"
    data: EnrollmentData


class EnrollmentCompleted(WebhookEvent):
    """An enrollment went through all its steps."""

    type: Literal["enrollment.completed"] = "enrollment.completed"
    data: EnrollmentData


class EnrollmentReplied(WebhookEvent):
    """An enrollment ended with a reply."""

    type: Literal["enrollment.replied"] = "enrollment.replied"
    data: EnrollmentData


class EnrollmentBounced(WebhookEvent):
    """An enrollment ended with a bounce."""

    type: Literal["enrollment.bounced"] = "enrollment.bounced"
    data: EnrollmentData


class EnrollmentUnenrolled(WebhookEvent):
    """An enrollment was stopped: by a person, an unsubscribe, a complaint or a suppression."""

    type: Literal["enrollment.unenrolled"] = "enrollment.unenrolled"
    data: EnrollmentData


class EnrollmentFailed(WebhookEvent):
    """An enrollment could not go on."""

    type: Literal["enrollment.failed"] = "enrollment.failed"
    data: EnrollmentData


class ContactErased(WebhookEvent):
    """A contact was erased: what names the person is to be deleted wherever it was copied to."""

    type: Literal["contact.erased"] = "contact.erased"
    data: ContactData


class JobCompleted(WebhookEvent):
    """A job did all that it was asked for; its report tells of each row or contact."""

    type: Literal["job.completed"] = "job.completed"
    data: JobData


class JobFailed(WebhookEvent):
    """A job could not go on. What it had done stays done."""

    type: Literal["job.failed"] = "job.failed"
    data: JobData


class JobCancelled(WebhookEvent):
    """A job was cancelled. What it had done stays done."""

    type: Literal["job.cancelled"] = "job.cancelled"
    data: JobData


class WebhookDisabled(WebhookEvent):
    """Another webhook subscription of the tenant was disabled by us."""

    type: Literal["webhook.disabled"] = "webhook.disabled"
    data: SubscriptionData


class WebhookTest(WebhookEvent):
    """Sent by POST /v1/webhook-subscriptions/{id}/test to that subscription, whatever it subscribes to."""

    type: Literal["webhook.test"] = "webhook.test"
    data: TryoutData


EventType: TypeAlias = Literal[
    "message.accepted",
    "message.refused",
    "message.unknown",
    "message.cancelled",
    "message.delivered",
    "message.deferred",
    "message.bounced",
    "message.rejected",
    "message.failed",
    "message.opened",
    "message.clicked",
    "message.replied",
    "message.autoresponded",
    "message.complained",
    "message.unsubscribed",
    "enrollment.created",
    "enrollment.completed",
    "enrollment.replied",
    "enrollment.bounced",
    "enrollment.unenrolled",
    "enrollment.failed",
    "contact.erased",
    "job.completed",
    "job.failed",
    "job.cancelled",
    "webhook.disabled",
]
"""What can be subscribed to."""

ALL: Final = "*"
"""In the place of a type: every type, those to come included."""

EVENTS: Final[Mapping[str, type[WebhookEvent]]] = MappingProxyType(
    {
        cls.model_fields["type"].default: cls
        for cls in (
            MessageAccepted,
            MessageRefused,
            MessageUnknown,
            MessageCancelled,
            MessageDelivered,
            MessageDeferred,
            MessageBounced,
            MessageRejected,
            MessageFailed,
            MessageOpened,
            MessageClicked,
            MessageReplied,
            MessageAutoresponded,
            MessageComplained,
            MessageUnsubscribed,
            EnrollmentCreated,
            EnrollmentCompleted,
            EnrollmentReplied,
            EnrollmentBounced,
            EnrollmentUnenrolled,
            EnrollmentFailed,
            ContactErased,
            JobCompleted,
            JobFailed,
            JobCancelled,
            WebhookDisabled,
            WebhookTest,
        )
    }
)
"""Every event by its type."""

assert {*get_args(EventType), "webhook.test"} == set(EVENTS)  # noqa: S101 - Literal cannot be computed
