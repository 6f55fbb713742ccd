"""In a database that was restored: nothing is emitted, and what may have been sent is recalled step by step."""

from datetime import datetime, timedelta

import pytest

from postroad_scheduler.recalling import Recall
from tests.integration.scheduler.depot import LEASE, Depot, SendersEnd, settled

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ADOPT = """
INSERT INTO sequence.installation (system_identifier, timeline, database_oid, written_by)
SELECT s.system_identifier, postroad.timeline(), d.oid, pg_current_xact_id()::text::bigint
FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()
"""


async def hold(depot: Depot, *, lost_until: datetime | None = None) -> None:
    """The database is held; with an end of the lost time, it is being reconciled."""
    await depot.admin.execute("DELETE FROM sequence.installation")
    await depot.admin.execute(ADOPT)
    await depot.admin.execute(
        "UPDATE sequence.installation SET held_at = postroad.now(), held_because = 'test',"
        " lost_until = $1::timestamptz, reconciling_at = CASE WHEN $1 IS NOT NULL THEN postroad.now() END,"
        " written_by = pg_current_xact_id()::text::bigint",
        lost_until,
    )


async def release(depot: Depot) -> None:
    """The database may send again."""
    await depot.admin.execute(
        "UPDATE sequence.installation SET held_at = NULL, held_because = NULL, reconciling_at = NULL,"
        " written_by = pg_current_xact_id()::text::bigint"
    )


async def test_nothing_is_emitted_while_the_database_is_held(depot: Depot, senders: SendersEnd) -> None:
    course = await depot.sequence(await depot.tenant(), timedelta())
    await depot.running(course, 3)
    await hold(depot)
    tick = depot.tick(senders.broker)
    assert await tick() is False
    assert await Recall(depot.context, senders.broker, lease=LEASE)() is False
    assert senders.items == []

    await release(depot)
    await tick()
    await senders.take(3)


async def test_steps_of_the_lost_time_are_unknown_and_the_first_after_it_goes(
    depot: Depot, senders: SendersEnd
) -> None:
    """Found a week later: each is asked for at the time it had, a day apart, until one was due after the hold."""
    course = await depot.sequence(await depot.tenant(), timedelta(), DAY, DAY, 6 * DAY)
    (running,) = await depot.running(course)
    await depot.travel(7 * DAY)
    found = await depot.travel(timedelta())
    await hold(depot, lost_until=found)
    recall = Recall(depot.context, senders.broker, lease=LEASE)
    for number in (1, 2, 3):
        await recall()
        (item,) = await senders.take(1)
        due = depot.start + (number - 1) * DAY
        assert (item.step_key, item.attempt, item.due_at) == (f"step-{number}", 1, due)
        await depot.answer(course.tenant_id, settled(item, "unknown", at=due))
    assert await recall() is False
    row = await depot.progress(running)
    assert (row["step_key"], row["phase"], row["next_due_at"]) == ("step-4", "waiting", depot.start + 8 * DAY)

    await release(depot)
    await depot.travel(DAY + HOUR)
    await depot.tick(senders.broker)()
    (item,) = await senders.take(1)
    assert item.step_key == "step-4"


async def test_an_answer_from_the_lost_life_leads_on_from_when_it_was_sent(depot: Depot, senders: SendersEnd) -> None:
    """The step was in flight at the backup, and its answer lies in the queue: the next one is a day after that."""
    course = await depot.sequence(await depot.tenant(), timedelta(), DAY)
    (running,) = await depot.running(course)
    await depot.tick(senders.broker)()
    (item,) = await senders.take(1)
    await depot.travel(3 * DAY)
    await hold(depot)
    await depot.answer(course.tenant_id, settled(item, "accepted", at=depot.start + HOUR))
    row = await depot.progress(running)
    assert (row["step_key"], row["next_due_at"]) == ("step-2", depot.start + HOUR + DAY)

    await hold(depot, lost_until=depot.start + 3 * DAY)
    await Recall(depot.context, senders.broker, lease=LEASE)()
    (item,) = await senders.take(1)
    assert item.step_key == "step-2"


@pytest.mark.parametrize("why", ["enrollment", "sequence", "sender"])
async def test_what_somebody_had_paused_at_the_backup_may_have_been_resumed_and_is_recalled(
    depot: Depot, senders: SendersEnd, why: str
) -> None:
    course = await depot.sequence(await depot.tenant(), timedelta(), 30 * DAY)
    running = await depot.running(course)
    match why:
        case "enrollment":
            await depot.want(running, "pause")
        case "sequence":
            await depot.set_sequence(course, "paused")
        case _:
            await depot.pause_sender(course, paused=True)
    await depot.tick(senders.broker)()
    assert await depot.phases(running) <= {("active", "held"), ("paused", "held")}
    await hold(depot, lost_until=await depot.travel(HOUR))
    recall = Recall(depot.context, senders.broker, lease=LEASE)
    await recall()
    (item,) = await senders.take(1)
    await depot.answer(course.tenant_id, settled(item, "unknown", at=depot.start))
    assert await recall() is False
    row = await depot.progress(running[0])
    assert (row["step_key"], row["next_due_at"]) == ("step-2", depot.start + 30 * DAY)
