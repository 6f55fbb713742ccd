"""What a lost message left behind is found by looking at the rows."""

from datetime import timedelta

import asyncpg

from postroad_common.metrics import REGISTRY
from postroad_scheduler.reconciling import ROWS_PER_TENANT, Reconcile
from postroad_scheduler.taking_up import take_up
from postroad_stack.databases import Database

from .depot import Depot, SendersEnd, keys

NOW = timedelta(0)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
AFTER = timedelta(seconds=10)


def reconcile(depot: Depot) -> Reconcile:
    return Reconcile(depot.context, after=AFTER, all_every=timedelta(hours=1))


async def test_enrollments_whose_message_was_lost_are_taken_up(depot: Depot) -> None:
    sequences = [await depot.sequence(await depot.tenant(), DAY) for _ in range(3)]
    lost = [id_ for s in sequences for id_ in await depot.enroll(s, await depot.contacts(s.tenant_id, 4))]
    compare = reconcile(depot)

    await compare()
    assert await depot.phases(lost) == set(), "young ones have a message on its way"
    await depot.travel(AFTER + SECOND)
    await compare()

    assert await depot.phases(lost) == {("active", "waiting")}
    row = await depot.progress(lost[0])
    assert row["next_due_at"] == depot.start + DAY, "counted from the enrolling, not from the finding"


async def test_more_lost_enrollments_than_one_page_are_all_taken_up(depot: Depot) -> None:
    sequence = await depot.sequence(await depot.tenant(), DAY)
    contacts = await depot.contacts(sequence.tenant_id, 2 * ROWS_PER_TENANT + 100)
    await depot.enroll(sequence, contacts)  # all at one instant
    await depot.travel(AFTER + SECOND)
    await depot.enroll(sequence, await depot.contacts(sequence.tenant_id, 10))
    await depot.travel(AFTER + SECOND)

    await reconcile(depot)()

    assert await depot.admin.fetchval("SELECT count(*) FROM schedule.progress") == len(contacts) + 10


async def test_a_page_that_cannot_be_taken_up_does_not_go_round_for_ever(depot: Depot) -> None:
    sequence = await depot.sequence(await depot.tenant(), DAY)
    await depot.admin.execute(
        "INSERT INTO sequence.sequence_versions (tenant_id, sequence_id, version, sender_id) VALUES ($1, $2, 2, $1)",
        sequence.tenant_id,
        sequence.sequence_id,
    )
    await depot.enroll(sequence, await depot.contacts(sequence.tenant_id, ROWS_PER_TENANT))
    await depot.admin.execute("UPDATE sequence.enrollments SET version = 2")
    await depot.travel(AFTER + SECOND)

    await reconcile(depot)()

    assert await depot.admin.fetchval("SELECT count(*) FROM schedule.progress") == 0


async def test_pauses_and_stops_whose_message_was_lost_are_applied(depot: Depot) -> None:
    sequence = await depot.sequence(await depot.tenant(), DAY)
    paused, stopped, untouched = await depot.running(sequence, 3)
    compare = reconcile(depot)
    await compare()
    await depot.travel(timedelta(minutes=1))
    await compare()
    await depot.want([paused], "pause")
    await depot.want([stopped], "stop")
    await depot.travel(AFTER + SECOND)

    await compare()

    assert await depot.phases([paused]) == {("paused", "held")}
    assert await depot.phases([stopped]) == {("unenrolled", "ended")}
    assert await depot.phases([untouched]) == {("active", "waiting")}


async def test_holds_whose_cause_is_gone_end_although_nobody_said_so(depot: Depot, senders: SendersEnd) -> None:
    tenant = await depot.tenant()
    of_sequence, of_enrollment = await depot.sequence(tenant, NOW), await depot.sequence(tenant, NOW)
    still = await depot.sequence(tenant, NOW)
    one, two, three = [(await depot.running(s))[0] for s in (of_sequence, of_enrollment, still)]
    await depot.set_sequence(of_sequence, "paused")
    await depot.set_sequence(still, "paused")
    await depot.want([two], "pause")
    await depot.tick(senders.broker)()
    assert await depot.phases([one, two, three]) == {("active", "held"), ("paused", "held")}

    await depot.set_sequence(of_sequence, "active")
    await depot.want([two], "run")
    await reconcile(depot)()

    assert await depot.phases([one, two]) == {("active", "waiting")}
    assert await depot.phases([three]) == {("active", "held")}


async def test_holds_of_a_sender_that_is_resumed_end(depot: Depot, senders: SendersEnd) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW)
    enrollments = await depot.running(sequence, 4)
    await depot.pause_sender(sequence, paused=True)
    await depot.tick(senders.broker)()
    await reconcile(depot)()
    assert await depot.phases(enrollments) == {("active", "held")}

    await depot.pause_sender(sequence, paused=False)
    await reconcile(depot)()
    await depot.tick(senders.broker)()

    await senders.take(4)


async def test_a_tenant_at_fault_holds_up_no_other(depot: Depot) -> None:
    broken, sound = [await depot.sequence(await depot.tenant(), DAY) for _ in range(2)]
    await depot.admin.execute(
        "INSERT INTO sequence.sequence_versions (tenant_id, sequence_id, version, sender_id) VALUES ($1, $2, 2, $1)",
        broken.tenant_id,
        broken.sequence_id,
    )
    lost = await depot.enroll(broken, await depot.contacts(broken.tenant_id))
    await depot.admin.execute("UPDATE sequence.enrollments SET version = 2")
    found = await depot.enroll(sound, await depot.contacts(sound.tenant_id))
    await depot.travel(AFTER + SECOND)

    await reconcile(depot)()

    assert await depot.phases(lost) == set()
    assert await depot.phases(found) == {("active", "waiting")}


async def test_comparing_again_finds_nothing(depot: Depot) -> None:
    sequence = await depot.sequence(await depot.tenant(), DAY)
    enrollments = await depot.enroll(sequence, await depot.contacts(sequence.tenant_id, 3))
    await depot.travel(AFTER + SECOND)
    await reconcile(depot)()
    before = [tuple(await depot.progress(id_)) for id_ in enrollments]

    await reconcile(depot)()
    await take_up(depot.context, keys(sequence.tenant_id, enrollments))

    assert [tuple(await depot.progress(id_)) for id_ in enrollments] == before


async def test_an_operator_sees_across_tenants_how_late_the_most_overdue_step_is(
    depot: Depot, database: Database
) -> None:
    def shown() -> float | None:
        return REGISTRY.get_sample_value("postroad_scheduler_oldest_due_seconds")

    early, late = [await depot.sequence(await depot.tenant(), delay) for delay in (DAY, 2 * DAY)]
    await depot.running(early, 2)
    await depot.running(late, 1)
    await reconcile(depot)()
    assert shown() == 0
    await depot.travel(2 * DAY + timedelta(hours=1))
    await reconcile(depot)()
    assert shown() == (DAY + timedelta(hours=1)).total_seconds()

    monitor = await asyncpg.connect(database.dsn("postroad_monitor"))
    rows = await monitor.fetch("SELECT tenant_id, overdue, oldest_due_at FROM monitor.steps() ORDER BY oldest_due_at")
    await monitor.close()
    assert [tuple(row) for row in rows] == [
        (early.tenant_id, 2, depot.start + DAY),
        (late.tenant_id, 1, depot.start + 2 * DAY),
    ]
