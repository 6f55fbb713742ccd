"""Why: what happens next, when, each reason, and what stands against sending now."""

import json
from typing import Any

from .house import Enrolled, Tenant


async def explain(one: Enrolled) -> dict[str, Any]:
    answer: dict[str, Any] = await one.tenant.call("GET", f"{one.path}/explain")
    return answer


def kinds(reasons: list[dict[str, Any]]) -> list[str]:
    return [reason["kind"] for reason in reasons]


async def test_before_it_is_taken_up_it_says_what_the_scheduler_will_decide(tenant: Tenant) -> None:
    one = await tenant.enrolled(sequence=await tenant.sequence(delay="2h"))
    said = await explain(one)
    created = (await tenant.reopen(one.enrollment_id))["created_at"]
    assert said["phase"] is None
    assert (said["next"]["number"], said["next"]["key"]) == (1, "step-1")
    assert said["next"]["due_at"][11:13] != created[11:13]
    assert kinds(said["reasons"]) == ["delay_after"]
    assert "2 hours after enrolling" in said["reasons"][0]["sentence"]
    assert said["blocked_by"] == []


async def test_it_says_when_the_next_step_goes_and_each_rule_that_put_it_there(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    await one.taken_up()
    said = await explain(one)
    assert said["next"]["due_at"] == (await tenant.reopen(one.enrollment_id))["next_due_at"]
    assert kinds(said["reasons"]) == ["delay_after"]
    assert said["summary"].startswith("Step 1 (step-1) goes ")
    assert [decision["outcome"] for decision in said["decisions"]] == ["send"]
    assert said["decisions"][0]["reasons"][0]["sentence"]


async def test_every_cause_that_stands_against_sending_is_named_at_once(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    await one.taken_up()
    await tenant.call("POST", f"{one.path}/pause")
    await tenant.call("POST", f"/sequences/{one.sequence['id']}/pause")
    await tenant.call("POST", f"/senders/{one.sequence['sender_id']}/pause")
    await tenant.call("POST", "/suppressions", json={"email": one.contact["email"]}, expect=201)
    await one.stopped("replied")
    said = await explain(one)
    assert sorted(kinds(said["blocked_by"])) == [
        "enrollment_paused",
        "sender_paused",
        "sequence_inactive",
        "suppressed",
        "suppressed",
    ]
    stops = {reason["facts"]["stop"] for reason in said["blocked_by"] if reason["kind"] == "suppressed"}
    assert stops == {"manual", "replied"}
    assert all(reason["sentence"] for reason in said["blocked_by"])


async def test_a_sender_that_rests_by_itself_blocks_until_its_next_try_only(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    await one.taken_up()
    for retry_at, blocked in (("5 min", ["sender_paused"]), ("-5 min", [])):
        await tenant.admin.execute(
            "INSERT INTO delivery.sender_state (tenant_id, sender_id, paused_at, retry_at, reason)"
            " VALUES ($1, $2, postroad.now(), postroad.now() + $3::text::interval, '[]')"
            " ON CONFLICT (tenant_id, sender_id) DO UPDATE SET retry_at = excluded.retry_at",
            tenant.tenant_id,
            one.sequence["sender_id"],
            retry_at,
        )
        assert kinds((await explain(one))["blocked_by"]) == blocked


async def test_a_held_step_says_why_and_when_it_is_looked_at_again(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    await one.taken_up(phase="held", reason=json.dumps([{"kind": "sender_paused", "until": None}]))
    said = await explain(one)
    assert "held" in said["summary"]
    assert said["looks_again_at"]
    assert said["reasons"][0]["sentence"] == "The sender is paused until somebody resumes it."


async def test_one_that_needs_attention_says_so(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    await one.taken_up(phase="held", needs_attention_at=await one.now())
    assert "needs somebody" in (await explain(one))["summary"]


async def test_what_has_ended_has_nothing_next(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    await one.ended("unenrolled")
    said = await explain(one)
    assert said["next"] is None
    assert said["blocked_by"] == []
    assert said["summary"] == "The enrollment has ended: unenrolled."


async def test_a_reason_that_this_version_does_not_know_is_shown_as_it_is(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    await one.taken_up(reason=json.dumps([{"kind": "moon_phase", "phase": "full"}]))
    [reason] = (await explain(one))["reasons"]
    assert reason["kind"] == "moon_phase"
    assert reason["facts"] == {"phase": "full"}
    assert "moon_phase" in reason["sentence"]
