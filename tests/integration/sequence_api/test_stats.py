"""The counts of a sequence."""

from typing import Any

from .house import Enrolled, Tenant


async def stats(one: Enrolled) -> dict[str, Any]:
    answer: dict[str, Any] = await one.tenant.call("GET", f"/sequences/{one.sequence['id']}/stats")
    return answer


async def test_each_message_counts_once_in_each_column_however_often_it_was_opened(tenant: Tenant) -> None:
    first = await tenant.enrolled(sequence=await tenant.sequence(steps=2))
    second = await tenant.enrolled(sequence=first.sequence)
    await first.message("accepted", answered=True)
    await second.message("unknown")
    await second.message("held", step_key="step-2", step_number=2)
    for _ in range(3):
        await first.event("opened")
        await first.event("clicked", url="https://x.example")
    await second.event("opened")
    await second.event("opened", machine=True)
    await first.event("clicked", machine=True)
    await first.event("replied")
    await first.event("complained")
    await second.event("unsubscribed")
    step, follow_up = (await stats(first))["steps"]
    expected = {
        "key": "step-1", "number": 1, "due": 2, "sent": 2, "accepted": 1, "unknown": 1, "opened": 2, "clicked": 1,
        "replied": 1, "complained": 1, "unsubscribed": 1, "bounced": 0, "refused": 0, "held": 0, "delivered": 0,
    }  # fmt: skip
    assert {name: step[name] for name in expected} == expected
    assert (follow_up["due"], follow_up["held"], follow_up["sent"], follow_up["opened"]) == (1, 1, 0, 0)


async def test_what_only_a_program_opened_was_not_opened(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    await one.message(answered=True)
    await one.event("opened", machine=True)
    assert (await stats(one))["steps"][0]["opened"] == 0


async def test_a_refused_address_counts_as_bounced_once_also_when_it_is_reported_again(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    await one.message("refused", bounce_type="hard", answered=True)
    await one.event("bounced")
    [step] = (await stats(one))["steps"]
    assert (step["refused"], step["bounced"], step["sent"]) == (1, 1, 0)


async def test_enrollments_are_counted_by_state(tenant: Tenant) -> None:
    sequence = await tenant.sequence()
    ways = [await tenant.enrolled(sequence=sequence) for _ in range(8)]
    await ways[1].taken_up()
    await ways[2].taken_up(state="paused", phase="held", paused_at=await ways[2].now())
    await ways[3].taken_up(phase="held", needs_attention_at=await ways[3].now())
    for one, state in zip(ways[4:], ("completed", "replied", "bounced", "unenrolled"), strict=True):
        await one.ended(state)
    counts = (await stats(ways[0]))["enrollments"]
    assert counts == {
        "total": 8, "active": 3, "paused": 1, "completed": 1, "replied": 1, "bounced": 1, "unenrolled": 1, "failed": 0,
        "needs_attention": 1,
    }  # fmt: skip


async def test_a_step_that_later_versions_dropped_keeps_its_counts_without_a_number(tenant: Tenant) -> None:
    one = await tenant.enrolled(sequence=await tenant.sequence(steps=2))
    await one.message("accepted", step_key="step-2", step_number=2, answered=True)
    template = await tenant.template()
    body = {
        "sender_id": one.sequence["sender_id"],
        "steps": [{"key": "hello", "template_id": template["id"], "delay": "1d"}],
    }
    await tenant.call("PUT", f"/sequences/{one.sequence['id']}", json=body)
    await tenant.call("POST", f"/sequences/{one.sequence['id']}/activate")
    steps = (await stats(one))["steps"]
    assert [(step["key"], step["number"], step["accepted"]) for step in steps] == [
        ("hello", 1, 0),
        ("step-1", None, 0),
        ("step-2", None, 1),
    ]
