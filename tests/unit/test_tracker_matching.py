"""Which message an event is about, before the ledger is asked."""

from uuid import uuid4

from postroad_common.ids import pack_ref
from postroad_tracker.events import EventType, NormalisedEvent
from postroad_tracker.matching import Claim, claim, contact_address

A, B = uuid4(), uuid4()
ONE, TWO = uuid4(), uuid4()


def event(**fields: object) -> NormalisedEvent:
    known: dict[str, object] = {"key": "k", "type": EventType.DELIVERED, "occurred_at": None} | fields
    return NormalisedEvent(**known)  # type: ignore[arg-type] # the tests name real fields


def test_our_own_reference_comes_before_any_message_id() -> None:
    found = claim(A, event(message_ref=pack_ref(A, ONE), in_reply_to=(f"<{pack_ref(A, TWO)}@ours.example>",)))
    assert found == Claim((ONE, TWO))


def test_reference_of_another_tenant_makes_the_event_about_nobody_here() -> None:
    assert claim(B, event(message_ref=pack_ref(A, ONE))) == Claim(foreign=True)
    assert claim(B, event(in_reply_to=(f"{pack_ref(A, ONE)}@ours.example",))) == Claim(foreign=True)
    mixed = event(message_ref=pack_ref(A, ONE), in_reply_to=(f"{pack_ref(B, TWO)}@ours.example",))
    assert claim(B, mixed) == Claim(foreign=True)


def test_message_id_is_read_with_or_without_brackets_and_as_a_bare_id() -> None:
    for name in (f"<{ONE}@ours.example>", f"{ONE}@ours.example", f"{ONE.hex}@x", f"<{pack_ref(A, ONE)}@y>"):
        assert claim(A, event(in_reply_to=(name,))) == Claim((ONE,)), name


def test_what_is_no_reference_claims_nothing() -> None:
    for name in ("", "x", "@", "a" * 43, "é" * 43, "z" * 36, "<>", "not-ours@other.example"):
        assert claim(A, event(message_ref=name or None, in_reply_to=(name,))) == Claim(), name


def test_address_speaks_for_a_contact_unless_anyone_could_have_written_it() -> None:
    for kind in EventType:
        spoken = contact_address(event(type=kind, recipient="ada@mill.example"), Claim())
        assert (spoken is None) == (kind in {EventType.REPLIED, EventType.AUTORESPONDED})
    assert contact_address(event(recipient="ada@mill.example"), Claim(foreign=True)) is None
