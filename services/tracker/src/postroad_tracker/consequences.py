"""What follows from a stored event, as values: a stop, and what others are told. The same in any order of arrival."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from postroad_common.contracts import (
    ContactBouncedV1,
    ContactClickedV1,
    ContactComplainedV1,
    ContactOpenedV1,
    ContactRepliedV1,
    ContactUnsubscribedV1,
    Evidence,
    Message,
    MessagesDeliveredV1,
    RecordedEvent,
    Signal,
    TrackingRecordedV1,
)
from postroad_common.ids import new_id
from postroad_tracker.events import BounceType, EventType

MAX_ITEMS: Final = 50
"""Items in one message: enough to take the broker out of the budget, few enough to be one bite."""

MAX_RECORDED: Final = 500
"""Stored events in one message: nobody waits for these, so the fewest messages."""

StopKind = Literal["replied", "bounced", "complained", "unsubscribed"]
EvidenceKind = Literal["delivered", "bounced", "opened", "clicked", "replied", "complained", "unsubscribed", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event as it stands in the table, with the message and the person that it was found to be about."""

    tenant_id: UUID
    event_id: UUID
    occurred_at: datetime
    type: EventType
    bounce_type: BounceType | None = None
    url: str | None = None
    machine: bool = False
    message_id: UUID | None = None
    enrollment_id: UUID | None = None
    contact_id: UUID | None = None
    sequence_id: UUID | None = None
    step_key: str | None = None
    address: str | None = None
    message_state: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """What may not be sent any more: of an enrollment, and to an address unless it is a reply."""

    tenant_id: UUID
    stop_id: UUID
    kind: StopKind
    event_id: UUID
    enrollment_id: UUID | None
    contact_id: UUID | None
    email: str | None


def stop_of(event: StoredEvent) -> Stop | None:
    """The stop that an event makes, if any. Soft bounces and replies to nothing of ours make none."""
    kind = _stop_kind(event)
    email = None if kind == "replied" else event.address
    if kind is None or (event.enrollment_id is None and email is None):
        return None
    return Stop(event.tenant_id, new_id(), kind, event.event_id, event.enrollment_id, event.contact_id, email)


def _stop_kind(event: StoredEvent) -> StopKind | None:
    match event.type:
        case EventType.REPLIED:
            return "replied"
        case EventType.BOUNCED if event.bounce_type is BounceType.HARD:
            return "bounced"
        case EventType.COMPLAINED:
            return "complained"
        case EventType.UNSUBSCRIBED:
            return "unsubscribed"
        case _:
            return None


STOPPING: Final = frozenset({EventType.REPLIED, EventType.BOUNCED, EventType.COMPLAINED, EventType.UNSUBSCRIBED})
"""The types that may make a stop."""

_SIGNALS: Final[Mapping[EventType, type[Message]]] = {
    EventType.REPLIED: ContactRepliedV1,
    EventType.BOUNCED: ContactBouncedV1,
    EventType.COMPLAINED: ContactComplainedV1,
    EventType.UNSUBSCRIBED: ContactUnsubscribedV1,
    EventType.CLICKED: ContactClickedV1,
    EventType.OPENED: ContactOpenedV1,
}

_EVIDENCE: Final[Mapping[EventType, EvidenceKind]] = {
    EventType.DELIVERED: "delivered",
    EventType.AUTORESPONDED: "delivered",
    EventType.BOUNCED: "bounced",
    EventType.OPENED: "opened",
    EventType.CLICKED: "clicked",
    EventType.REPLIED: "replied",
    EventType.COMPLAINED: "complained",
    EventType.UNSUBSCRIBED: "unsubscribed",
    EventType.REJECTED: "rejected",
}
"""Events that nobody could send about a message that the mail server never got."""


def messages_of(events: Iterable[StoredEvent]) -> list[Message]:
    """The signals and the evidence of these events, a message per tenant and type, large ones cut."""
    signals: dict[tuple[UUID, type[Message]], list[Signal]] = defaultdict(list)
    evidence: dict[UUID, list[Evidence]] = defaultdict(list)
    for event in events:
        contract = _signal_type(event)
        if contract is not None:
            signals[event.tenant_id, contract].append(_signal(event))
        proof = _evidence(event)
        if proof is not None:
            evidence[event.tenant_id].append(proof)
    messages = [
        contract.model_validate({"tenant_id": tenant_id, "items": items[start : start + MAX_ITEMS]})
        for (tenant_id, contract), items in signals.items()
        for start in range(0, len(items), MAX_ITEMS)
    ]
    messages += [
        MessagesDeliveredV1(tenant_id=tenant_id, items=tuple(items[start : start + MAX_ITEMS]))
        for tenant_id, items in evidence.items()
        for start in range(0, len(items), MAX_ITEMS)
    ]
    return messages


def records_of(events: Iterable[StoredEvent]) -> list[Message]:
    """Word of the events that are about somebody, programs' and soft ones too: a message per tenant."""
    recorded: dict[UUID, list[RecordedEvent]] = defaultdict(list)
    for event in events:
        if event.message_id is not None or event.contact_id is not None:
            recorded[event.tenant_id].append(_recorded(event))
    return [
        TrackingRecordedV1(tenant_id=tenant_id, items=tuple(items[start : start + MAX_RECORDED]))
        for tenant_id, items in recorded.items()
        for start in range(0, len(items), MAX_RECORDED)
    ]


def _signal_type(event: StoredEvent) -> type[Message] | None:
    """Opens and clicks by programs signal nothing, and neither do bounces that stop nothing."""
    if event.contact_id is None or event.machine:
        return None
    if event.type is EventType.BOUNCED and event.bounce_type is not BounceType.HARD:
        return None
    if event.type is EventType.REPLIED and event.enrollment_id is None:
        return None
    return _SIGNALS.get(event.type)


def _signal(event: StoredEvent) -> Signal:
    return Signal(
        event_id=event.event_id,
        occurred_at=event.occurred_at,
        contact_id=event.contact_id,
        enrollment_id=event.enrollment_id,
        message_id=event.message_id,
        bounce_type=event.bounce_type.value if event.bounce_type else None,
        url=event.url,
        traceparent=event.traceparent,
    )


def _recorded(event: StoredEvent) -> RecordedEvent:
    return RecordedEvent(
        event_id=event.event_id,
        type=event.type.value,
        occurred_at=event.occurred_at,
        message_id=event.message_id,
        enrollment_id=event.enrollment_id,
        contact_id=event.contact_id,
        sequence_id=event.sequence_id,
        step_key=event.step_key,
        bounce_type=event.bounce_type.value if event.bounce_type else None,
        url=event.url,
        machine=event.machine,
    )


def _evidence(event: StoredEvent) -> Evidence | None:
    """Only for messages whose hand-over the ledger does not already know."""
    kind = _EVIDENCE.get(event.type)
    if kind is None or event.message_id is None or event.message_state == "accepted":
        return None
    return Evidence(message_id=event.message_id, event_id=event.event_id, kind=kind, occurred_at=event.occurred_at)
