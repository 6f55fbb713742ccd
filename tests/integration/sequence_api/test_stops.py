"""Stops that hold: acknowledged when the wire has drained, or with the ids of what is on it.

The sender is played by the test: it commits `transmitting` and settles when it likes.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import pytest

from postroad_stack.eventually import eventually

from .house import Enrolled, Listener, Tenant

Ask = Callable[[Enrolled], Coroutine[Any, Any, Any]]


async def pause_enrollment(one: Enrolled) -> Any:
    return await one.tenant.call("POST", f"{one.path}/pause")


async def stop_enrollment(one: Enrolled) -> Any:
    return await one.tenant.call("POST", f"{one.path}/stop")


async def pause_sequence(one: Enrolled) -> Any:
    return await one.tenant.call("POST", f"/sequences/{one.sequence['id']}/pause")


async def archive_sequence(one: Enrolled) -> Any:
    return await one.tenant.call("POST", f"/sequences/{one.sequence['id']}/archive", json={"stop_running": True})


async def pause_sender(one: Enrolled) -> Any:
    return await one.tenant.call("POST", f"/senders/{one.sequence['sender_id']}/pause")


async def suppress_address(one: Enrolled) -> Any:
    return await one.tenant.call("POST", "/suppressions", json={"email": one.contact["email"]}, expect=201)


STOPPERS = [pause_enrollment, stop_enrollment, pause_sequence, archive_sequence, pause_sender, suppress_address]
every_stop = pytest.mark.parametrize("ask", STOPPERS)


async def settle(one: Enrolled, state: str = "accepted") -> None:
    await one.tenant.admin.execute(
        "UPDATE delivery.messages SET state = $2, gated_at = postroad.now(), settled_at = postroad.now()"
        " WHERE enrollment_id = $1",
        one.enrollment_id,
        state,
    )


async def committed_intents(tenant: Tenant) -> int:
    return int(
        await tenant.admin.fetchval("SELECT count(*) FROM sequence.intents WHERE tenant_id = $1", tenant.tenant_id)
    )


@every_stop
async def test_with_a_free_wire_the_answer_comes_at_once_and_lists_nothing(tenant: Tenant, ask: Ask) -> None:
    one = await tenant.enrolled()
    await one.message("accepted")
    began = time.monotonic()
    stop = (await ask(one))["stop"]
    assert stop["on_the_wire"] == []
    assert time.monotonic() - began < 5
    stored = await tenant.admin.fetchval(
        "SELECT acknowledged_at FROM sequence.intents WHERE tenant_id = $1", tenant.tenant_id
    )
    assert stored.isoformat().replace("+00:00", "Z") == stop["acknowledged_at"]


@every_stop
async def test_what_does_not_drain_in_time_is_listed_in_the_answer_and_kept(tenant: Tenant, ask: Ask) -> None:
    one, other = await tenant.enrolled(), await tenant.enrolled()
    message_id = await one.message("transmitting")
    await other.message("transmitting")
    began = time.monotonic()
    stop = (await ask(one))["stop"]
    assert stop["on_the_wire"] == [str(message_id)]
    assert time.monotonic() - began >= 0.5
    stored = await tenant.admin.fetchval(
        "SELECT on_the_wire FROM sequence.intents WHERE tenant_id = $1", tenant.tenant_id
    )
    assert stored == [message_id]


@every_stop
async def test_the_answer_waits_for_the_wire_to_drain(tenant: Tenant, ask: Ask) -> None:
    one = await tenant.enrolled()
    await one.message("transmitting")
    asking = asyncio.create_task(ask(one))
    await eventually(lambda: committed_intents(tenant))
    assert not asking.done()
    await settle(one)
    stop = (await asking)["stop"]
    assert stop["on_the_wire"] == []
    gated_at = await tenant.admin.fetchval(
        "SELECT gated_at FROM delivery.messages WHERE tenant_id = $1", tenant.tenant_id
    )
    assert gated_at.isoformat().replace("+00:00", "Z") < stop["acknowledged_at"]


@every_stop
async def test_the_stop_is_committed_before_the_wire_is_looked_at(tenant: Tenant, ask: Ask) -> None:
    """Whoever claims after the commit finds it: what is wanted shows while the answer is still waiting."""
    one = await tenant.enrolled()
    await one.taken_up()
    await one.message("transmitting")
    asking = asyncio.create_task(ask(one))
    await eventually(lambda: committed_intents(tenant))
    [seen] = await tenant.admin.fetch(
        "SELECT e.intent, s.state, m.paused_at,"
        " EXISTS (SELECT FROM sequence.suppressions a WHERE a.tenant_id = $1) AS suppressed"
        " FROM sequence.enrollments e JOIN sequence.sequences s USING (tenant_id, sequence_id)"
        " CROSS JOIN sequence.senders m WHERE e.tenant_id = $1 AND m.tenant_id = $1",
        tenant.tenant_id,
    )
    assert not asking.done()
    wanted = (seen["intent"], seen["state"], seen["paused_at"] is not None, seen["suppressed"])
    assert wanted != ("run", "active", False, False)
    await settle(one)
    await asking


@every_stop
async def test_an_unknown_that_a_suspended_sender_may_still_hold_is_listed(tenant: Tenant, ask: Ask) -> None:
    one = await tenant.enrolled()
    message_id = await one.message("unknown", gated_at=None)
    stop = (await ask(one))["stop"]
    assert stop["on_the_wire"] == [str(message_id)]


@every_stop
async def test_an_old_unknown_is_on_no_wire_any_more(tenant: Tenant, ask: Ask) -> None:
    one = await tenant.enrolled()
    await one.message("unknown", gated_at=None, settled_at=await one.now("-16 minutes"))
    assert (await ask(one))["stop"]["on_the_wire"] == []


@pytest.mark.parametrize("ask", [pause_enrollment, stop_enrollment, pause_sequence, pause_sender, suppress_address])
async def test_a_stop_asked_for_again_answers_with_the_acknowledgement_that_stands(tenant: Tenant, ask: Ask) -> None:
    one = await tenant.enrolled()
    await one.message("transmitting")
    first = (await ask(one))["stop"]
    await settle(one)
    assert (await ask(one))["stop"] == first
    assert await committed_intents(tenant) == 1


async def test_a_stop_whose_answer_got_lost_is_acknowledged_when_it_is_asked_for_again(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    await pause_sequence(one)
    await tenant.admin.execute(
        "UPDATE sequence.intents SET acknowledged_at = NULL WHERE tenant_id = $1", tenant.tenant_id
    )
    assert (await pause_sequence(one))["stop"]["acknowledged_at"]
    assert await committed_intents(tenant) == 1


async def test_a_pause_after_a_resume_is_a_stop_of_its_own(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    first = (await pause_enrollment(one))["stop"]
    await tenant.call("POST", f"{one.path}/resume")
    second = (await pause_enrollment(one))["stop"]
    assert second["acknowledged_at"] > first["acknowledged_at"]
    rows = await tenant.admin.fetch(
        "SELECT intent FROM sequence.intents WHERE tenant_id = $1 ORDER BY requested_at", tenant.tenant_id
    )
    assert [row["intent"] for row in rows] == ["pause", "run", "pause"]


async def test_an_enrollment_s_intents_are_told_to_the_scheduler(tenant: Tenant, outbox: Listener) -> None:
    one = await tenant.enrolled()
    await pause_enrollment(one)
    await tenant.call("POST", f"{one.path}/resume")
    await stop_enrollment(one)
    told = await outbox.received("enrollments.intent_changed.v1", 3)
    assert [body["items"] for body in told] == [[str(one.enrollment_id)]] * 3


async def test_a_suppression_is_told_to_the_scheduler_for_each_way_that_it_ends(
    tenant: Tenant, outbox: Listener
) -> None:
    one = await tenant.enrolled()
    other = await tenant.enrolled(contact=one.contact)
    await suppress_address(one)
    [told] = await outbox.received("enrollments.intent_changed.v1", 1)
    assert {UUID(item) for item in told["items"]} == {one.enrollment_id, other.enrollment_id}


async def test_a_sender_s_pause_is_told_to_the_scheduler_for_its_sequences(tenant: Tenant, outbox: Listener) -> None:
    one = await tenant.enrolled()
    await outbox.received("sequences.state_changed.v1", 1)
    await pause_sender(one)
    told = await outbox.received("sequences.state_changed.v1", 2)
    assert told[-1]["sequence_id"] == one.sequence["id"]


async def test_what_has_ended_or_was_stopped_is_not_paused_resumed_or_stopped(tenant: Tenant) -> None:
    over = await tenant.enrolled()
    await over.ended("completed")
    for action in ("pause", "resume", "stop"):
        problem = await tenant.refused("POST", f"{over.path}/{action}", 409)
        assert (problem["code"], problem["state"]) == ("illegal_transition", "completed")
    stopped = await tenant.enrolled()
    await stop_enrollment(stopped)
    for action in ("pause", "resume"):
        assert (await tenant.refused("POST", f"{stopped.path}/{action}", 409))["state"] == "stopped"
    running = await tenant.enrolled()
    assert (await tenant.refused("POST", f"{running.path}/resume", 409))["state"] == "active"


async def test_a_paused_enrollment_may_be_stopped(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    await pause_enrollment(one)
    assert (await stop_enrollment(one))["intent"] == "stop"


async def test_pauses_and_resumes_at_once_leave_what_the_last_of_them_wanted(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    answers = await asyncio.gather(*(tenant.ask("POST", f"{one.path}/{action}") for action in ("pause", "resume") * 5))
    assert {answer.status_code for answer in answers} <= {200, 409}
    last = await tenant.admin.fetchval(
        "SELECT intent FROM sequence.intents WHERE tenant_id = $1 ORDER BY requested_at DESC, intent_id DESC LIMIT 1",
        tenant.tenant_id,
    )
    assert (await tenant.reopen(one.enrollment_id))["intent"] == last
