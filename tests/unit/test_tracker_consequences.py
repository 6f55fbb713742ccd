"""What follows from a stored event: stops, signals, evidence."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from postroad_common.contracts import ContactBouncedV1, ContactOpenedV1, MessagesDeliveredV1
from postroad_tracker.consequences import MAX_ITEMS, StoredEvent, messages_of, stop_of
from postroad_tracker.events import BounceType, EventType

TENANT, MESSAGE, ENROLLMENT, CONTACT = uuid4(), uuid4(), uuid4(), uuid4()
ADDRESS = "ada@mill.example"


def stored(kind: EventType, bounce_type: BounceType | None = None, **fields: Any) -> StoredEvent:
    known: dict[str, Any] = {
        "tenant_id": TENANT,
        "event_id": uuid4(),
        "occurred_at": datetime(2026, 3, 1, tzinfo=UTC),
        "type": kind,
        "bounce_type": bounce_type,
        "message_id": MESSAGE,
        "enrollment_id": ENROLLMENT,
        "contact_id": CONTACT,
        "address": ADDRESS,
        "message_state": "accepted",
    }
    return StoredEvent(**(known | fields))


def unmatched(kind: EventType, bounce_type: BounceType | None = None, **fields: Any) -> StoredEvent:
    nothing = {"message_id": None, "enrollment_id": None, "contact_id": None, "message_state": None}
    return stored(kind, bounce_type, **(nothing | fields))


@pytest.mark.parametrize(
    ("kind", "bounce_type", "expected"),
    [
        (EventType.REPLIED, None, ("replied", ENROLLMENT, None)),
        (EventType.BOUNCED, BounceType.HARD, ("bounced", ENROLLMENT, ADDRESS)),
        (EventType.COMPLAINED, None, ("complained", ENROLLMENT, ADDRESS)),
        (EventType.UNSUBSCRIBED, None, ("unsubscribed", ENROLLMENT, ADDRESS)),
    ],
)
def test_reply_stops_the_enrollment_and_the_others_the_address_too(
    kind: EventType, bounce_type: BounceType | None, expected: tuple[object, ...]
) -> None:
    stop = stop_of(stored(kind, bounce_type))
    assert stop is not None
    assert (stop.kind, stop.enrollment_id, stop.email) == expected


def test_soft_bounce_and_everything_else_stops_nothing() -> None:
    assert stop_of(stored(EventType.BOUNCED, BounceType.SOFT)) is None
    assert stop_of(stored(EventType.BOUNCED, BounceType.UNDETERMINED)) is None
    stopping = {EventType.REPLIED, EventType.BOUNCED, EventType.COMPLAINED, EventType.UNSUBSCRIBED}
    for kind in set(EventType) - stopping:
        assert stop_of(stored(kind)) is None, kind


def test_complaint_about_no_message_of_ours_still_stops_the_address_and_a_reply_does_not() -> None:
    stop = stop_of(unmatched(EventType.COMPLAINED))
    assert stop is not None
    assert (stop.enrollment_id, stop.email) == (None, ADDRESS)
    assert stop_of(unmatched(EventType.REPLIED, address=None)) is None
    assert stop_of(unmatched(EventType.COMPLAINED, address=None)) is None


def test_hard_bounce_signals_and_soft_bounce_does_not() -> None:
    messages = messages_of([stored(EventType.BOUNCED, BounceType.HARD), stored(EventType.BOUNCED, BounceType.SOFT)])
    assert len(messages) == 1
    assert isinstance(messages[0], ContactBouncedV1)
    (signal,) = messages[0].items
    assert (signal.enrollment_id, signal.contact_id, signal.bounce_type) == (ENROLLMENT, CONTACT, "hard")


def test_open_by_a_machine_signals_nothing_but_is_evidence() -> None:
    event = stored(EventType.OPENED, machine=True, message_state="unknown")
    (evidence,) = messages_of([event])
    assert isinstance(evidence, MessagesDeliveredV1)
    assert evidence.items[0].message_id == MESSAGE


def test_evidence_is_given_unless_the_ledger_knows_already() -> None:
    for state in ("unknown", "transmitting", "refused"):
        assert any(
            isinstance(m, MessagesDeliveredV1) for m in messages_of([stored(EventType.DELIVERED, message_state=state)])
        )
    assert messages_of([stored(EventType.DELIVERED, message_state="accepted")]) == []
    assert messages_of([unmatched(EventType.DELIVERED)]) == []


def test_signals_travel_together_per_tenant_and_type_in_bounded_messages() -> None:
    other = uuid4()
    events = [stored(EventType.OPENED) for _ in range(MAX_ITEMS + 1)] + [stored(EventType.OPENED, tenant_id=other)]
    messages = messages_of(events)
    assert all(isinstance(message, ContactOpenedV1) for message in messages)
    sizes = sorted((str(m.tenant_id == other), len(m.items)) for m in messages if isinstance(m, ContactOpenedV1))
    assert sizes == [("False", 1), ("False", MAX_ITEMS), ("True", 1)]


def test_event_about_nobody_signals_nothing() -> None:
    assert messages_of([unmatched(kind) for kind in EventType]) == []
