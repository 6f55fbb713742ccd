"""From an enrollment to its end, as long as nothing goes wrong."""

from datetime import timedelta

from postroad_scheduler.taking_up import take_up

from .depot import Depot, SendersEnd, keys, settled

NOW = timedelta(0)
DAY = timedelta(days=1)


async def test_an_enrollment_runs_through_its_steps_to_its_end(depot: Depot, senders: SendersEnd) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW, DAY)
    (enrollment,) = await depot.running(sequence)
    tick = depot.tick(senders.broker)

    await tick()
    (first,) = await senders.take(1)
    assert (first.enrollment_id, first.step_key, first.attempt) == (enrollment, "step-1", 1)
    assert (await depot.progress(enrollment))["phase"] == "in_flight"

    answered = await depot.travel(timedelta(seconds=3))
    await depot.answer(sequence.tenant_id, settled(first, "accepted", answered))
    row = await depot.progress(enrollment)
    assert (row["phase"], row["step_key"], row["attempt"], row["emissions"]) == ("waiting", "step-2", 0, 0)
    assert row["next_due_at"] == answered + DAY

    await tick()
    assert (await depot.progress(enrollment))["phase"] == "waiting", "a day too early"
    await depot.travel(DAY)
    await tick()
    (second,) = await senders.take(1)
    assert (second.step_key, second.step_number, second.attempt) == ("step-2", 2, 1)

    ended = await depot.travel(timedelta(seconds=1))
    await depot.answer(sequence.tenant_id, settled(second, "accepted", ended))
    row = await depot.progress(enrollment)
    assert (row["state"], row["phase"], row["completed_at"], row["wake_at"]) == ("completed", "ended", ended, None)
    assert await depot.slots([enrollment]) == 0
    assert [decision["outcome"] for decision in await depot.decisions(enrollment)] == ["send", "send", "end"]


async def test_taking_up_twice_changes_nothing(depot: Depot, senders: SendersEnd) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW)
    enrollments = await depot.running(sequence, 3)
    await depot.tick(senders.broker)()
    await senders.take(3)
    before = [tuple(await depot.progress(id_)) for id_ in enrollments]

    assert await take_up(depot.context, keys(sequence.tenant_id, enrollments)) == 0

    assert [tuple(await depot.progress(id_)) for id_ in enrollments] == before
    assert [len(await depot.decisions(id_)) for id_ in enrollments] == [1, 1, 1]
