"""Proofs on live data: silent on sound data, and each rule names what breaks it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from postroad_common.ids import new_id
from postroad_sequence_api.services.proofs import RULES

from .house import CreateTenant, Enrolled, Tenant


async def verify(tenant: Tenant) -> dict[str, Any]:
    report = await tenant.call("GET", "/verify")
    rules = {rule["rule"]: rule for rule in report["rules"]}
    assert list(rules) == [rule.name for rule in RULES]
    assert all(rule["description"] for rule in report["rules"])
    assert report["ok"] == (not broken(rules))
    return rules


def broken(rules: dict[str, Any]) -> set[str]:
    return {name for name, rule in rules.items() if rule["count"]}


async def sound(tenant: Tenant) -> Enrolled:
    """Lives of every kind, all as they may be."""
    sequence = await tenant.sequence(steps=2)
    sent = await tenant.enrolled(sequence=sequence)
    await sent.sent()
    await sent.event("opened")
    settled_late = await tenant.enrolled(sequence=sequence)
    await settled_late.taken_up(next_due_at=await settled_late.now("-1 hour"))
    await settled_late.message("accepted", gated_at=None)
    await settled_late.attempt("unknown", gated_at=None)
    await settled_late.attempt("accepted", gated_at=None)
    deferred = await tenant.enrolled(sequence=sequence)
    await deferred.taken_up(next_due_at=await deferred.now("-1 hour"))
    await deferred.message("accepted", attempt=2)
    await deferred.attempt("deferred", attempt=1)
    await deferred.attempt("accepted", attempt=2)
    replied = await tenant.enrolled(sequence=sequence)
    await replied.sent()
    await replied.stopped("replied")
    await replied.ended("replied")
    await tenant.enrolled(sequence=sequence)
    paused = await tenant.enrolled(sequence=sequence)
    await paused.taken_up(next_due_at=await paused.now("-1 hour"), wake_at=await paused.now("1 hour"))
    await tenant.call("POST", f"{paused.path}/pause")
    await tenant.call("POST", f"{paused.path}/resume")
    await paused.message()
    await paused.attempt()
    return sent


async def test_sound_data_breaks_no_rule(tenant: Tenant) -> None:
    await sound(tenant)
    assert broken(await verify(tenant)) == set()


async def set_ledger(one: Enrolled, *, attempt: int, state: str = "accepted") -> None:
    await one.tenant.admin.execute(
        "UPDATE delivery.messages SET attempt = $2, state = $3 WHERE enrollment_id = $1",
        one.enrollment_id,
        attempt,
        state,
    )


async def attempt_twice(one: Enrolled) -> dict[str, Any]:
    await one.attempt(attempt=2)
    await set_ledger(one, attempt=2)
    return {"enrollment_id": str(one.enrollment_id), "step_key": "step-1", "attempts": [1, 2]}


async def same_attempt_twice(one: Enrolled) -> dict[str, Any]:
    await one.attempt()
    return {"enrollment_id": str(one.enrollment_id), "attempts": [1]}


async def unknown_then_sent_again(one: Enrolled) -> dict[str, Any]:
    await one.attempt("unknown", attempt=2)
    await set_ledger(one, attempt=2, state="unknown")
    return {"enrollment_id": str(one.enrollment_id), "attempts": [1, 2]}


async def sent_after_its_pause(one: Enrolled) -> dict[str, Any]:
    await one.tenant.call("POST", f"{one.path}/pause")
    return await sent_again_now(one, "enrollment pause")


async def sent_after_its_stop(one: Enrolled) -> dict[str, Any]:
    await one.tenant.call("POST", f"{one.path}/stop")
    return await sent_again_now(one, "enrollment stop")


async def sent_after_the_sequence_s_pause(one: Enrolled) -> dict[str, Any]:
    await one.tenant.call("POST", f"/sequences/{one.sequence['id']}/pause")
    return await sent_again_now(one, "sequence pause")


async def sent_after_the_sequence_was_archived(one: Enrolled) -> dict[str, Any]:
    await one.tenant.call("POST", f"/sequences/{one.sequence['id']}/archive", json={"stop_running": True})
    return await sent_again_now(one, "sequence stop")


async def sent_after_the_sender_s_pause(one: Enrolled) -> dict[str, Any]:
    await one.tenant.call("POST", f"/senders/{one.sequence['sender_id']}/pause")
    return await sent_again_now(one, "sender pause")


async def sent_after_a_suppression(one: Enrolled) -> dict[str, Any]:
    await one.tenant.call("POST", "/suppressions", json={"email": one.contact["email"]}, expect=201)
    return await sent_again_now(one, "suppression")


async def sent_after_a_reply(one: Enrolled) -> dict[str, Any]:
    await one.stopped("replied")
    return await sent_again_now(one, "replied")


async def sent_after_an_unsubscribe_of_another_enrollment(one: Enrolled) -> dict[str, Any]:
    other = await one.tenant.enrolled(contact=one.contact)
    await other.stopped("unsubscribed")
    return await sent_again_now(one, "unsubscribed")


async def sent_again_now(one: Enrolled, stopped_by: str) -> dict[str, Any]:
    message_id = await one.message(step_key="step-2", step_number=2)
    await one.attempt(step_key="step-2")
    await one.decided("send", step_key="step-2", due_at=await one.now("-1 hour"))
    return {"message_id": str(message_id), "stopped_by": stopped_by}


async def settled_by_evidence_after_its_stop(one: Enrolled) -> dict[str, Any]:
    """It was claimed after the stop, nobody knows when it was gated, and the provider says that it was sent."""
    await one.stopped("complained")
    message_id = await one.message(step_key="step-2", step_number=2, gated_at=None)
    await one.attempt("unknown", step_key="step-2", gated_at=None)
    await one.attempt("accepted", step_key="step-2", gated_at=None)
    await one.decided("send", step_key="step-2", due_at=await one.now("-1 hour"))
    return {"message_id": str(message_id), "stopped_by": "complained"}


async def sent_without_decision(one: Enrolled) -> dict[str, Any]:
    message_id = await one.message(step_key="step-2", step_number=2)
    await one.attempt(step_key="step-2")
    return {"message_id": str(message_id), "why": "no decision"}


async def sent_before_it_was_due(one: Enrolled) -> dict[str, Any]:
    message_id = await one.message(step_key="step-2", step_number=2)
    await one.attempt(step_key="step-2")
    await one.decided("send", step_key="step-2", due_at=await one.now("1 hour"))
    return {"message_id": str(message_id), "why": "before it was due"}


async def sent_what_is_no_step(one: Enrolled) -> dict[str, Any]:
    message_id = await one.message(step_key="step-9", step_number=9)
    await one.attempt(step_key="step-9")
    await one.decided("send", step_key="step-9", due_at=await one.now("-1 hour"))
    return {"message_id": str(message_id), "why": "no such step"}


async def moved(one: Enrolled) -> dict[str, Any]:
    await one.tenant.admin.execute(
        "UPDATE schedule.progress SET version = 7 WHERE enrollment_id = $1", one.enrollment_id
    )
    return {"enrollment_id": str(one.enrollment_id), "found_in": "progress", "found_version": 7}


async def ledger_without_attempt(one: Enrolled) -> dict[str, Any]:
    await one.message("held", step_key="step-2", step_number=2)
    return {"step_key": "step-2", "state": "held"}


async def attempt_without_ledger(one: Enrolled) -> dict[str, Any]:
    await one.attempt("held", step_key="step-2")
    return {"step_key": "step-2", "last_outcome": "held"}


async def never_enrolled(one: Enrolled) -> dict[str, Any]:
    ghost = Enrolled(one.tenant, one.sequence, one.contact, new_id())
    await ghost.taken_up()
    return {"enrollment_id": str(ghost.enrollment_id), "found_in": "progress"}


async def progress_past_its_time(one: Enrolled) -> dict[str, Any]:
    stuck = await one.tenant.enrolled()
    await stuck.taken_up(phase="in_flight", wake_at=await stuck.now("-6 minutes"))
    return {"enrollment_id": str(stuck.enrollment_id), "what": "progress in_flight"}


async def passed_over(one: Enrolled) -> dict[str, Any]:
    """Due for long, and what is with the sender is younger."""
    at_work = await one.tenant.enrolled()
    await at_work.taken_up(phase="in_flight", next_due_at=await one.now("-1 minute"))
    stuck = await one.tenant.enrolled()
    await stuck.taken_up(next_due_at=await one.now("-1 hour"), wake_at=await one.now("-1 hour"))
    return {"enrollment_id": str(stuck.enrollment_id), "what": "progress waiting"}


async def never_taken_up(one: Enrolled) -> dict[str, Any]:
    stuck = await one.tenant.enrolled()
    await one.tenant.admin.execute(
        "UPDATE sequence.enrollments SET created_at = postroad.now() - interval '6 min' WHERE enrollment_id = $1",
        stuck.enrollment_id,
    )
    return {"enrollment_id": str(stuck.enrollment_id), "what": "enrollment not taken up"}


async def waits_for_a_lost_time(one: Enrolled) -> dict[str, Any]:
    """The database was restored two hours ago, and the step was due before."""
    await one.tenant.admin.execute(
        "UPDATE sequence.installation SET lost_until = postroad.now() - interval '2 hours',"
        " written_by = pg_current_xact_id()::text::bigint"
    )
    lost = await one.tenant.enrolled()
    await lost.taken_up(next_due_at=await one.now("-3 hours"), wake_at=await one.now("1 hour"))
    return {"enrollment_id": str(lost.enrollment_id), "step_key": "step-1"}


async def transmitting_by_a_dead_process(one: Enrolled) -> dict[str, Any]:
    dead = new_id()
    await one.tenant.admin.execute(
        "INSERT INTO delivery.incarnations (incarnation_id, host, pid, expires_at)"
        " VALUES ($1, 'here', 2, postroad.now() - interval '6 minutes')",
        dead,
    )
    message_id = await one.message("transmitting", step_key="step-2", step_number=2, incarnation_id=dead)
    return {"message_id": str(message_id), "what": "transmitting under an expired incarnation"}


async def not_relayed(one: Enrolled) -> dict[str, Any]:
    await one.insert("tracking.outbox", type="contact.opened.v1", body=b"{}", created_at=await one.now("-6 minutes"))
    return {"what": "message not relayed"}


async def stop_not_acknowledged(one: Enrolled) -> dict[str, Any]:
    await one.stopped("replied", acknowledged_at=None, created_at=await one.now("-6 minutes"))
    return {"enrollment_id": str(one.enrollment_id), "what": "stop not acknowledged"}


async def slot_lost(one: Enrolled) -> dict[str, Any]:
    await one.tenant.admin.execute("DELETE FROM sequence.active_slots WHERE enrollment_id = $1", one.enrollment_id)
    return {"enrollment_id": str(one.enrollment_id), "holds_slot": False}


async def slot_kept(one: Enrolled) -> dict[str, Any]:
    over = await one.tenant.enrolled()
    await over.ended()
    await one.insert(
        "sequence.active_slots", contact_id=over.contact["id"], scope="sequence:x", enrollment_id=over.enrollment_id
    )
    return {"enrollment_id": str(over.enrollment_id), "holds_slot": True}


async def event_without_key(one: Enrolled) -> dict[str, Any]:
    now, event_id = await one.now(), new_id()
    await one.insert(
        "tracking.events", event_id=event_id, received_at=now, occurred_at=now, type="opened", source="pixel"
    )
    return {"event_id": str(event_id), "stored": 1, "keys": 0}


async def event_twice(one: Enrolled) -> dict[str, Any]:
    event_id, later = await one.event("opened"), await one.now("1 second")
    await one.insert(
        "tracking.events", event_id=event_id, received_at=later, occurred_at=later, type="opened", source="pixel"
    )
    return {"event_id": str(event_id), "stored": 2, "keys": 1}


async def key_without_event(one: Enrolled) -> dict[str, Any]:
    event_id = new_id()
    await one.insert("tracking.event_keys", key="lost", event_id=event_id)
    return {"event_id": str(event_id), "stored": 0, "keys": 1}


Plant = Callable[[Enrolled], Awaitable[dict[str, Any]]]
PLANTED: list[tuple[str, Plant]] = [
    ("accepted_twice", attempt_twice),
    ("accepted_twice", same_attempt_twice),
    ("accepted_twice", unknown_then_sent_again),
    ("accepted_after_stop", sent_after_its_pause),
    ("accepted_after_stop", sent_after_its_stop),
    ("accepted_after_stop", sent_after_the_sequence_s_pause),
    ("accepted_after_stop", sent_after_the_sequence_was_archived),
    ("accepted_after_stop", sent_after_the_sender_s_pause),
    ("accepted_after_stop", sent_after_a_suppression),
    ("accepted_after_stop", sent_after_a_reply),
    ("accepted_after_stop", sent_after_an_unsubscribe_of_another_enrollment),
    ("accepted_after_stop", settled_by_evidence_after_its_stop),
    ("accepted_not_due", sent_without_decision),
    ("accepted_not_due", sent_before_it_was_due),
    ("accepted_not_due", sent_what_is_no_step),
    ("moved_to_another_version", moved),
    ("ledger_and_attempts_differ", ledger_without_attempt),
    ("ledger_and_attempts_differ", attempt_without_ledger),
    ("ledger_without_enrollment", never_enrolled),
    ("stuck", progress_past_its_time),
    ("stuck", passed_over),
    ("stuck", never_taken_up),
    ("stuck", transmitting_by_a_dead_process),
    ("stuck", not_relayed),
    ("stuck", stop_not_acknowledged),
    ("lost_step_waits", waits_for_a_lost_time),
    ("slot_differs", slot_lost),
    ("slot_differs", slot_kept),
    ("event_not_once", event_without_key),
    ("event_not_once", event_twice),
    ("event_not_once", key_without_event),
]


@pytest.mark.parametrize(("rule", "plant"), PLANTED, ids=[plant.__name__ for _, plant in PLANTED])
async def test_a_planted_violation_is_named_and_breaks_no_other_rule(tenant: Tenant, rule: str, plant: Plant) -> None:
    named = await plant(await sound(tenant))
    rules = await verify(tenant)
    assert broken(rules) == {rule}
    assert rules[rule]["count"] == 1
    [violation] = rules[rule]["violations"]
    assert {name: violation[name] for name in named} == named


async def test_a_ledger_that_lost_its_keys_and_holds_a_row_twice_is_named(tenant: Tenant) -> None:
    one, admin = await sound(tenant), tenant.admin
    key = await admin.fetchval("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'messages_pkey'")
    index = await admin.fetchval("SELECT pg_get_indexdef('delivery.messages_id'::regclass)")
    await admin.execute("ALTER TABLE delivery.messages DROP CONSTRAINT messages_pkey")
    await admin.execute("DROP INDEX delivery.messages_id")
    try:
        await one.message()
        rules = await verify(tenant)
    finally:
        await admin.execute("DELETE FROM delivery.messages WHERE tenant_id = $1", tenant.tenant_id)
        await admin.execute(f"ALTER TABLE delivery.messages ADD CONSTRAINT messages_pkey {key}")
        await admin.execute(index)
    assert broken(rules) == {"ledger_row_twice"}
    assert rules["ledger_row_twice"]["violations"][0]["enrollment_id"] == str(one.enrollment_id)


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule for rule, _ in PLANTED} | {"ledger_row_twice"} == {rule.name for rule in RULES}


async def listed_in_the_answer(one: Enrolled) -> None:
    message_id = await one.message("transmitting", step_key="step-2", step_number=2)
    stop = (await one.tenant.call("POST", f"{one.path}/pause"))["stop"]
    assert stop["on_the_wire"] == [str(message_id)]
    await one.tenant.admin.execute(
        "UPDATE delivery.messages SET state = 'accepted', gated_at = postroad.now(), settled_at = postroad.now()"
        " WHERE message_id = $1",
        message_id,
    )
    await one.attempt(step_key="step-2")
    await one.decided("send", step_key="step-2", due_at=await one.now("-1 hour"))


async def resumed_before_it_was_sent(one: Enrolled) -> None:
    for path in (one.path, f"/sequences/{one.sequence['id']}", f"/senders/{one.sequence['sender_id']}"):
        await one.tenant.call("POST", f"{path}/pause")
        await one.tenant.call("POST", f"{path}/resume")
    await one.tenant.call("POST", "/suppressions", json={"email": one.contact["email"]}, expect=201)
    await one.tenant.call("DELETE", f"/suppressions/{one.contact['email']}", expect=204)
    await sent_again_now(one, "")


async def claimed_after_the_stop_but_never_begun(one: Enrolled) -> None:
    """A process died between its claim and its look: nobody can say that anything began."""
    await one.stopped("replied")
    await one.message("unknown", step_key="step-2", step_number=2, gated_at=None)
    await one.attempt("unknown", step_key="step-2", gated_at=None)
    await one.decided("send", step_key="step-2", due_at=await one.now("-1 hour"))


async def stopped_but_not_yet_acknowledged(one: Enrolled) -> None:
    await one.stopped("replied", acknowledged_at=None)
    await sent_again_now(one, "")


async def queueing_behind_older_steps(one: Enrolled) -> None:
    at_work = await one.tenant.enrolled()
    await at_work.taken_up(phase="in_flight", next_due_at=await one.now("-2 hours"))
    late = await one.tenant.enrolled()
    await late.taken_up(next_due_at=await one.now("-1 hour"), wake_at=await one.now("-1 hour"))


async def held_by_the_gate_after_the_stop(one: Enrolled) -> None:
    await one.stopped("replied")
    await one.message("cancelled", step_key="step-2", step_number=2)
    await one.attempt("cancelled", step_key="step-2")


ALLOWED = [
    listed_in_the_answer,
    resumed_before_it_was_sent,
    claimed_after_the_stop_but_never_begun,
    stopped_but_not_yet_acknowledged,
    queueing_behind_older_steps,
    held_by_the_gate_after_the_stop,
]


@pytest.mark.parametrize("happen", ALLOWED, ids=[happen.__name__ for happen in ALLOWED])
async def test_what_may_happen_breaks_no_rule(tenant: Tenant, happen: Callable[[Enrolled], Awaitable[None]]) -> None:
    await happen(await sound(tenant))
    assert broken(await verify(tenant)) == set()


async def test_another_tenant_s_violation_is_not_ours(tenant: Tenant, create_tenant: CreateTenant) -> None:
    other = await create_tenant("Other")
    await attempt_twice(await sound(other))
    await sound(tenant)
    assert broken(await verify(tenant)) == set()
    assert broken(await verify(other)) == {"accepted_twice"}


async def test_of_many_violations_all_are_counted_and_a_hundred_named(tenant: Tenant) -> None:
    await tenant.admin.execute(
        "INSERT INTO tracking.event_keys (tenant_id, key, event_id)"
        " SELECT $1, 'k' || n, gen_random_uuid() FROM generate_series(1, 150) n",
        tenant.tenant_id,
    )
    rule = (await verify(tenant))["event_not_once"]
    assert (rule["count"], len(rule["violations"])) == (150, 100)


async def test_however_many_ask_at_once_the_proofs_take_one_connection(
    tenant: Tenant, admin: asyncpg.Connection, create_tenant: CreateTenant
) -> None:
    tenants = [tenant, *[await create_tenant(f"Tenant {number}") for number in range(5)]]
    asked = asyncio.gather(*(one.ask("GET", "/verify") for one in tenants for _ in range(4)))
    busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%OVER () AS total%' AND xact_start IS NOT NULL"
    seen = []
    while not asked.done():
        seen.append(await admin.fetchval(busy + " AND pid <> pg_backend_pid() AND datname = current_database()"))
        await asyncio.sleep(0.005)

    answers = await asked
    assert sum(answer.status_code == 200 for answer in answers) >= len(tenants), "each tenant is answered"
    assert {answer.json()["code"] for answer in answers if answer.status_code != 200} <= {"already_running"}
    assert max(seen) == 1
