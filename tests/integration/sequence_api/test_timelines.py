"""Timelines: all that happened, in order, each with a sentence."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from postroad_common.ids import new_id

from .house import Enrolled, Tenant

NOON = datetime.now(UTC).replace(microsecond=0)


async def told(one: Enrolled) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await one.tenant.call("GET", f"{one.path}/timeline"))["items"]
    return items


async def whole_life(tenant: Tenant) -> Enrolled:
    """Enrolled, decided, sent, opened, clicked, replied, ended; a minute apart."""
    one = await tenant.enrolled()
    at = [NOON + timedelta(minutes=n) for n in range(12)]
    await tenant.admin.execute(
        "UPDATE sequence.enrollments SET created_at = $2 WHERE enrollment_id = $1", one.enrollment_id, at[0]
    )
    await one.taken_up()
    await tenant.admin.execute("ALTER TABLE schedule.decisions DISABLE TRIGGER append_only")
    await tenant.admin.execute(
        "UPDATE schedule.decisions SET decided_at = $2 WHERE enrollment_id = $1", one.enrollment_id, at[1]
    )
    await tenant.admin.execute("ALTER TABLE schedule.decisions ENABLE TRIGGER append_only")
    await one.message()
    await one.attempt(settled_at=at[2], reply_code=250, reply_text="queued")
    await one.event("opened", occurred_at=at[3])
    await one.event("clicked", occurred_at=at[4], url="https://shop.example/x")
    await one.event("replied", occurred_at=at[5])
    await one.stopped("replied", created_at=at[5], acknowledged_at=at[6])
    await one.ended("replied")
    await tenant.admin.execute(
        "UPDATE schedule.progress SET replied_at = $2, reason = $3 WHERE enrollment_id = $1",
        one.enrollment_id,
        at[7],
        json.dumps([{"kind": "suppressed", "stop": "replied"}]),
    )
    return one


async def test_a_life_is_told_in_order_with_a_sentence_each(tenant: Tenant) -> None:
    one = await whole_life(tenant)
    entries = await told(one)
    assert [entry["kind"] for entry in entries] == [
        "enrolled",
        "decision",
        "attempt",
        "event",
        "event",
        "event",
        "stop",
        "ended",
    ]
    sentences = [entry["sentence"] for entry in entries]
    assert sentences[0] == f"Enrolled in {one.sequence['name']} (version 1)."
    assert sentences[1].startswith("Step 'step-1' is to go ")
    assert sentences[2] == "Step 'step-1', attempt 1, was accepted by the mail server: 250 queued."
    assert sentences[4] == "A link was followed: https://shop.example/x"
    assert sentences[6].startswith("Nothing more is to be sent: the contact replied. This holds since ")
    assert sentences[7] == "The enrollment ended: replied. The contact replied."
    assert all(entry["enrollment_id"] == str(one.enrollment_id) for entry in entries)


async def test_a_contact_s_timeline_tells_all_of_its_enrollments(tenant: Tenant) -> None:
    first = await tenant.enrolled()
    second = await tenant.enrolled(contact=first.contact)
    await tenant.enrolled()
    timeline = await tenant.call("GET", f"/contacts/{first.contact['id']}/timeline")
    assert timeline["truncated"] is False
    assert [entry["enrollment_id"] for entry in timeline["items"]] == [
        str(first.enrollment_id),
        str(second.enrollment_id),
    ]
    nobody = await tenant.contact()
    assert (await tenant.call("GET", f"/contacts/{nobody['id']}/timeline"))["items"] == []


async def test_everything_that_was_wanted_meanwhile_is_told_whoever_it_was_wanted_of(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    await one.message("transmitting")
    for path in (one.path, f"/sequences/{one.sequence['id']}", f"/senders/{one.sequence['sender_id']}"):
        await tenant.call("POST", f"{path}/pause")
        await tenant.call("POST", f"{path}/resume")
    await tenant.call("POST", "/suppressions", json={"email": one.contact["email"]}, expect=201)
    await tenant.call("DELETE", f"/suppressions/{one.contact['email']}", expect=204)
    sentences = [entry["sentence"] for entry in await told(one) if entry["kind"] == "intent"]
    assert [sentence.split(".")[0] for sentence in sentences] == [
        "Somebody paused the enrollment",
        "Somebody resumed the enrollment",
        "Somebody paused the sequence",
        "Somebody resumed the sequence",
        "Somebody paused the sender",
        "Somebody resumed the sender",
        "Somebody suppressed the address",
        "Somebody lifted the suppression of the address",
    ]
    assert "1 sent just before could not be called back" in sentences[0]


async def test_what_was_wanted_of_a_sequence_before_or_after_is_not_an_enrollment_s_story(tenant: Tenant) -> None:
    sequence = await tenant.sequence()
    await tenant.call("POST", f"/sequences/{sequence['id']}/pause")
    await tenant.call("POST", f"/sequences/{sequence['id']}/resume")
    one = await tenant.enrolled(sequence=sequence)
    await one.ended()
    await tenant.call("POST", f"/sequences/{sequence['id']}/pause")
    assert [entry["kind"] for entry in await told(one)] == ["enrolled", "decision", "ended"]


async def test_an_event_that_found_its_message_late_is_told(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    message_id = await one.message()
    now, event_id = await one.now(), new_id()
    await one.insert(
        "tracking.events", event_id=event_id, received_at=now, occurred_at=now, type="bounced", source="postmark",
        provider_message_id="p-1", detail="mailbox full",
    )  # fmt: skip
    await one.insert(
        "tracking.matches", event_id=event_id, message_id=message_id, enrollment_id=one.enrollment_id,
        contact_id=one.contact["id"], sequence_id=one.sequence["id"], step_key="step-1",
    )  # fmt: skip
    assert (await told(one))[-1]["sentence"] == "The mail came back: mailbox full"


async def test_a_long_story_shows_its_newest_thousand_and_says_that_there_is_more(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    await tenant.admin.execute(
        "INSERT INTO schedule.decisions (tenant_id, enrollment_id, step_key, attempt, outcome, reasons, inputs_hash)"
        " SELECT $1, $2, 'step-1', n, 'hold', '[]', '' FROM generate_series(1, 1005) n",
        tenant.tenant_id,
        one.enrollment_id,
    )
    timeline = await tenant.call("GET", f"{one.path}/timeline")
    assert len(timeline["items"]) == 1000
    assert timeline["truncated"] is True
    assert timeline["items"][-1]["facts"]["attempt"] == 1005
