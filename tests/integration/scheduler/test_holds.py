"""Pauses: nothing goes out meanwhile, nothing is used up by them, and everything goes on afterwards."""

from datetime import timedelta
from uuid import UUID

import pytest

from postroad_common.db import transaction
from postroad_engine.reasons import EnrollmentPaused, SenderPaused, SequenceInactive, SequenceState
from postroad_scheduler import reconsidering
from postroad_scheduler.context import Context
from postroad_scheduler.definitions import Definitions
from postroad_scheduler.deliberation import Case, look_again
from postroad_scheduler.reconsidering import reconsider
from postroad_scheduler.sequences import on_sequence_changed
from postroad_scheduler.store import due
from postroad_scheduler.values import Change, Claimed

from .depot import RULES, Course, Depot, SendersEnd, keys, settled

NOW = timedelta(0)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


async def intent(depot: Depot, sequence: Course, enrollments: list[UUID], wanted: str) -> None:
    """What the API commits, and what its message then causes."""
    await depot.want(enrollments, wanted)
    await reconsider(depot.context, keys(sequence.tenant_id, enrollments))


async def test_a_paused_enrollment_waits_and_goes_on_when_resumed(depot: Depot, senders: SendersEnd) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW)
    (enrollment,) = await depot.running(sequence)
    tick = depot.tick(senders.broker)

    await intent(depot, sequence, [enrollment], "pause")
    await depot.travel(20 * MINUTE)
    await tick()

    row = await depot.progress(enrollment)
    assert (row["state"], row["phase"], row["attempt"]) == ("paused", "held", 0)
    assert row["paused_at"] == depot.start
    assert senders.items == []

    await intent(depot, sequence, [enrollment], "run")
    await tick()

    (item,) = await senders.take(1)
    row = await depot.progress(enrollment)
    assert (item.attempt, row["state"], row["paused_at"]) == (1, "active", None), "the pause consumed nothing"


async def test_a_pause_does_not_shift_a_later_due_time(depot: Depot) -> None:
    sequence = await depot.sequence(await depot.tenant(), DAY)
    (enrollment,) = await depot.running(sequence)
    await intent(depot, sequence, [enrollment], "pause")
    await depot.travel(MINUTE)

    await intent(depot, sequence, [enrollment], "run")

    row = await depot.progress(enrollment)
    assert (row["phase"], row["wake_at"]) == ("waiting", depot.start + DAY)


async def test_a_pause_longer_than_a_day_is_placed_anew_at_the_preferred_time(
    depot: Depot, senders: SendersEnd
) -> None:
    sequence = await depot.sequence(await depot.tenant(timezone="Europe/Berlin"), NOW, preferred_time="09:30")
    (enrollment,) = await depot.running(sequence)
    assert (await depot.progress(enrollment))["next_due_at"] == depot.start + timedelta(minutes=30)
    await intent(depot, sequence, [enrollment], "pause")
    await depot.travel(timedelta(days=2, hours=2))

    await intent(depot, sequence, [enrollment], "run")

    await depot.tick(senders.broker)()
    row = await depot.progress(enrollment)
    assert row["next_due_at"] == depot.start + timedelta(days=3, minutes=30), "no burst outside the preferred time"
    assert senders.items == []


async def test_a_pause_while_a_step_is_in_flight_leaves_the_step_to_its_answer(
    depot: Depot, senders: SendersEnd
) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW, SECOND)
    gone, stays = await depot.running(sequence, 2)
    await depot.tick(senders.broker)()
    items = {item.enrollment_id: item for item in await senders.take(2)}

    await intent(depot, sequence, [gone, stays], "pause")
    assert await depot.phases([gone, stays]) == {("paused", "in_flight")}
    await depot.answer(
        sequence.tenant_id,
        settled(items[gone], "accepted", depot.start),
        settled(items[stays], "held", depot.start, reasons=[EnrollmentPaused().to_json()]),
    )

    after = [await depot.progress(id_) for id_ in (gone, stays)]
    assert [(row["state"], row["phase"], row["step_key"], row["attempt"]) for row in after] == [
        ("paused", "held", "step-2", 0),
        ("paused", "held", "step-1", 1),
    ]


async def test_a_paused_sequence_holds_what_comes_due_and_releases_it(depot: Depot, senders: SendersEnd) -> None:
    sequence = await depot.sequence(await depot.tenant(), MINUTE)
    enrollments = await depot.running(sequence, 5)
    tick = depot.tick(senders.broker)
    await depot.set_sequence(sequence, "paused")
    await on_sequence_changed(depot.context, sequence.tenant_id, sequence.sequence_id)
    assert await depot.phases(enrollments) == {("active", "waiting")}
    await depot.travel(2 * MINUTE)

    await tick()

    assert await depot.phases(enrollments) == {("active", "held")}
    assert senders.items == []

    await depot.set_sequence(sequence, "active")
    await on_sequence_changed(depot.context, sequence.tenant_id, sequence.sequence_id)
    await tick()

    assert {item.attempt for item in await senders.take(5)} == {1}


async def test_what_the_sender_held_for_a_pause_that_is_over_goes_on_by_itself(
    depot: Depot, senders: SendersEnd
) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW)
    await depot.running(sequence)
    tick = depot.tick(senders.broker)
    await tick()
    (item,) = await senders.take(1)

    reasons = [SequenceInactive(SequenceState.PAUSED).to_json()]
    await depot.answer(sequence.tenant_id, settled(item, "held", depot.start, reasons=reasons))
    await depot.travel(11 * SECOND)
    await tick()  # looks at it: nothing holds it any more
    await tick()

    (again,) = await senders.take(1)
    assert (again.step_key, again.attempt) == ("step-1", 2), "a held attempt is closed: the next one is new"


async def test_steps_of_a_paused_sender_are_held_until_it_is_resumed(depot: Depot, senders: SendersEnd) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW)
    (enrollment,) = await depot.running(sequence)
    tick = depot.tick(senders.broker)
    await depot.pause_sender(sequence, paused=True)

    await tick()
    row = await depot.progress(enrollment)
    assert (row["state"], row["phase"]) == ("active", "held")
    assert SenderPaused.kind in row["reason"]

    await depot.pause_sender(sequence, paused=False)
    await depot.travel(timedelta(minutes=15))
    await tick()
    await tick()
    await senders.take(1)


async def test_a_senders_own_pause_ends_at_its_time(depot: Depot, senders: SendersEnd) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW)
    (enrollment,) = await depot.running(sequence)
    tick = depot.tick(senders.broker)
    await depot.admin.execute(
        "INSERT INTO delivery.sender_state (tenant_id, sender_id, paused_at, retry_at, reason)"
        " VALUES ($1, $1, postroad.now(), postroad.now() + '5 minutes', '[]')",
        sequence.tenant_id,
    )
    await tick()
    assert (await depot.progress(enrollment))["wake_at"] == depot.start + 5 * MINUTE

    await depot.travel(5 * MINUTE)
    await tick()
    await tick()

    await senders.take(1)


async def test_looking_at_a_hold_again_is_not_a_new_decision(depot: Depot, senders: SendersEnd) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW)
    (enrollment,) = await depot.running(sequence)
    await depot.set_sequence(sequence, "paused")
    tick = depot.tick(senders.broker)
    for _ in range(4):
        await tick()
        await depot.travel(timedelta(minutes=30))

    decisions = await depot.decisions(enrollment)
    assert [decision["outcome"] for decision in decisions] == ["send", "hold"]


async def test_a_step_that_could_not_go_in_time_is_planned_anew(depot: Depot, senders: SendersEnd) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW)
    (enrollment,) = await depot.running(sequence)
    now = await depot.travel(timedelta(hours=25))
    tick = depot.tick(senders.broker)

    await tick()
    await tick()

    (item,) = await senders.take(1)
    assert (item.due_at, item.attempt) == (now, 1)
    assert item.send_before == now + DAY
    assert "overdue" in (await depot.progress(enrollment))["reason"]


@pytest.mark.parametrize("state", ["pause", "stop"])
async def test_an_intent_older_than_the_taking_up_is_honoured(depot: Depot, senders: SendersEnd, state: str) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW)
    (enrollment,) = await depot.running(sequence, intent=state)

    await depot.tick(senders.broker)()

    row = await depot.progress(enrollment)
    assert (row["state"], row["phase"]) == {"pause": ("paused", "held"), "stop": ("unenrolled", "ended")}[state]
    assert await depot.slots([enrollment]) == (1 if state == "pause" else 0)
    assert senders.items == []


async def test_what_cannot_be_decided_is_held_for_a_person_and_tried_again_later(
    depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant_id = await depot.tenant()
    sequences = [await depot.sequence(tenant_id, MINUTE) for _ in range(3)]
    sound, lost, broken = [(await depot.running(sequence))[0] for sequence in sequences]
    for sequence in sequences:
        await depot.set_sequence(sequence, "paused")
    await depot.admin.execute("SET session_replication_role = replica")  # steps do not change; here they do
    await depot.admin.execute("DELETE FROM sequence.steps WHERE sequence_id = $1", sequences[1].sequence_id)

    def decide_unless_broken(case: Case, *, overdue: bool) -> Change | None:
        if case.progress.enrollment_id == broken:
            raise ArithmeticError("of no use to anybody")
        return look_again(case, overdue=overdue)

    monkeypatch.setattr(reconsidering, "look_again", decide_unless_broken)
    now = await depot.travel(2 * MINUTE)
    context = Context(depot.pool, RULES, Definitions())  # a replica that knows no definition yet

    claimed = await claim_all(depot, tenant_id)
    await reconsidering.look(context, claimed)

    assert [(await depot.progress(one))["needs_attention_at"] for one in (sound, lost, broken)] == [None, now, now]
    for one, why in ((lost, "are not there"), (broken, "ArithmeticError")):
        row = await depot.progress(one)
        assert (row["state"], row["phase"]) == ("active", "held")
        assert row["wake_at"] >= now + RULES.policy.look_again
        assert "cannot_decide" in row["reason"]
        assert why in row["reason"]
    monkeypatch.undo()
    await depot.travel(2 * RULES.policy.look_again)
    await reconsidering.look(context, await claim_all(depot, tenant_id))
    row = await depot.progress(broken)
    assert (row["phase"], row["needs_attention_at"]) == ("held", None), "held for the pause, as it should be"


async def claim_all(depot: Depot, tenant_id: UUID) -> list[Claimed]:
    """What one round of a replica claims."""
    terms = due.Terms(per_tenant=100, in_flight=100, lease=MINUTE, max_emissions=RULES.max_emissions)
    async with transaction(depot.pool, tenant_id) as conn:
        return await due.claim(conn, [tenant_id], terms)


async def test_one_row_that_cannot_be_decided_holds_up_no_resume(depot: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    sequence = await depot.sequence(await depot.tenant(), MINUTE)
    sound, broken, another = await depot.running(sequence, 3)
    await depot.set_sequence(sequence, "paused")
    now = await depot.travel(2 * MINUTE)
    await reconsider(depot.context, keys(sequence.tenant_id, [sound, broken, another]))
    assert await depot.phases([sound, broken, another]) == {("active", "held")}

    def decide_unless_broken(case: Case, *, overdue: bool) -> Change | None:
        if case.progress.enrollment_id == broken:
            raise ArithmeticError("of no use to anybody")
        return look_again(case, overdue=overdue)

    monkeypatch.setattr(reconsidering, "look_again", decide_unless_broken)
    await depot.set_sequence(sequence, "active")
    await on_sequence_changed(depot.context, sequence.tenant_id, sequence.sequence_id)

    assert await depot.phases([sound, another]) == {("active", "waiting")}
    assert (await depot.progress(broken))["needs_attention_at"] == now
