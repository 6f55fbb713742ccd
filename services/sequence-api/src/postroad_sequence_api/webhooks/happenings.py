"""What happens, as webhook events. Ids are derived from what happened: told twice, it is one event."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from postroad_common.contracts import (
    EnrollmentEnded,
    EnrollmentsCreatedV1,
    EnrollmentsEndedV1,
    Message,
    RecordedEvent,
    StepSettled,
    StepsSettledV1,
    TrackingRecordedV1,
)
from postroad_common.ids import message_id_for
from postroad_sequence_api.webhooks.events import EVENTS, WebhookEvent

_EVENTS: Final = UUID("b5a3ce5e-52b1-5f0c-9a55-1c2f6b9c8e2d")

_OF_MESSAGES: Final = frozenset(
    {
        "delivered",
        "deferred",
        "bounced",
        "rejected",
        "failed",
        "opened",
        "clicked",
        "replied",
        "autoresponded",
        "complained",
        "unsubscribed",
    }
)
"""The tracker's types that are told of. Its other ones say nothing that anybody could act on."""


@dataclass(frozen=True, slots=True)
class Enrollment:
    """An enrollment as its row says."""

    contact_id: UUID
    sequence_id: UUID
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that was told, before it is known whether anybody wants to hear of it."""

    type: str
    enrollment_id: UUID | None
    """Whose row is needed to tell of it; None: it is complete."""
    tell: Callable[[Enrollment | None], WebhookEvent | None]
    """The event, or None when the row is no more."""


def happenings(message: Message) -> Iterator[Happening]:
    """What a message tells that can be subscribed to."""
    tenant_id = message.tenant_id
    match message:
        case StepsSettledV1():
            yield from (one for item in message.items for one in _settled(tenant_id, item))
        case TrackingRecordedV1():
            yield from (one for item in message.items for one in _recorded(tenant_id, item))
        case EnrollmentsCreatedV1():
            yield from (_created(tenant_id, item.enrollment_id) for item in message.items)
        case EnrollmentsEndedV1():
            yield from (_ended(tenant_id, item) for item in message.items)
        case _:
            raise TypeError(f"{message.type} tells of nothing that can be subscribed to")


def event(type_: str, id_: UUID, timestamp: datetime, tenant_id: UUID, data: Mapping[str, Any]) -> WebhookEvent:
    """An event of a type of the catalogue; its model takes of the data what it has a field for."""
    return EVENTS[type_].model_validate({"id": id_, "timestamp": timestamp, "tenant_id": tenant_id, "data": data})


def job_ended(tenant_id: UUID, job: Mapping[str, Any]) -> WebhookEvent:
    """Of a row of jobs that has ended."""
    type_ = f"job.{job['state']}"
    return event(type_, uuid5(_EVENTS, f"{job['job_id']}/{job['state']}"), job["ended_at"], tenant_id, job)


def contact_erased(tenant_id: UUID, contact_id: UUID, erased_at: datetime) -> WebhookEvent:
    """Of a contact that is erased in the same transaction."""
    id_ = uuid5(_EVENTS, f"{contact_id}/erased")
    return event("contact.erased", id_, erased_at, tenant_id, {"contact_id": contact_id})


def _settled(tenant_id: UUID, item: StepSettled) -> Iterator[Happening]:
    """Outcomes that are final; a step that was held or put off is tried again."""
    type_ = f"message.{item.outcome}"
    if item.outcome in ("held", "deferred"):
        return
    message_id = message_id_for(tenant_id, item.enrollment_id, item.step_key)

    def tell(enrollment: Enrollment | None) -> WebhookEvent | None:
        if enrollment is None:
            return None
        data = {
            "message_id": message_id,
            "contact_id": enrollment.contact_id,
            "enrollment_id": item.enrollment_id,
            "sequence_id": enrollment.sequence_id,
            "step_key": item.step_key,
            "bounce_type": item.bounce_type,
        }
        id_ = uuid5(_EVENTS, f"{message_id}/{item.attempt}/{item.outcome}")
        return event(type_, id_, item.settled_at, tenant_id, data)

    yield Happening(type_, item.enrollment_id, tell)


def _recorded(tenant_id: UUID, item: RecordedEvent) -> Iterator[Happening]:
    type_ = f"message.{item.type}"
    if item.type in _OF_MESSAGES:
        data = item.model_dump(exclude={"event_id", "type", "occurred_at"})
        yield Happening(type_, None, lambda _: event(type_, item.event_id, item.occurred_at, tenant_id, data))


def _created(tenant_id: UUID, enrollment_id: UUID) -> Happening:
    def tell(enrollment: Enrollment | None) -> WebhookEvent | None:
        if enrollment is None:
            return None
        data = {
            "enrollment_id": enrollment_id,
            "contact_id": enrollment.contact_id,
            "sequence_id": enrollment.sequence_id,
            "version": enrollment.version,
        }
        id_ = uuid5(_EVENTS, f"{enrollment_id}/created")
        return event("enrollment.created", id_, enrollment.created_at, tenant_id, data)

    return Happening("enrollment.created", enrollment_id, tell)


def _ended(tenant_id: UUID, item: EnrollmentEnded) -> Happening:
    type_ = f"enrollment.{item.state}"
    id_ = uuid5(_EVENTS, f"{item.enrollment_id}/{item.state}")
    return Happening(type_, None, lambda _: event(type_, id_, item.ended_at, tenant_id, item.model_dump()))
