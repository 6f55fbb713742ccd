"""Claims: one owner at a time, nothing lost with him, and tenants in turn."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from yarl import URL

from postroad_common.amqp import Broker, PublishError, declare_topology
from postroad_common.amqp.topology import SENDER_DUE
from postroad_common.contracts import StepDue
from postroad_common.db import transaction
from postroad_scheduler.store import due as store
from postroad_scheduler.values import Claimed
from postroad_stack.tcp_proxy import tcp_proxy

from .depot import LEASE, MAX_EMISSIONS, PACE, TIME_TO_ANSWER, Course, Depot, SendersEnd, settled

NOW = timedelta(0)
SECOND = timedelta(seconds=1)
TERMS = store.Terms(per_tenant=500, in_flight=5000, lease=LEASE, max_emissions=MAX_EMISSIONS)


async def claim(depot: Depot, sequence: Course) -> list[Claimed]:
    """What a replica does that then hangs, or dies, before it publishes."""
    async with transaction(depot.pool, sequence.tenant_id) as conn:
        return await store.claim(conn, [sequence.tenant_id], TERMS)


async def mark(depot: Depot, sequence: Course, claimed: list[Claimed]) -> int:
    async with transaction(depot.pool, sequence.tenant_id) as conn:
        return await store.mark_in_flight(conn, claimed, TIME_TO_ANSWER)


async def test_two_replicas_never_claim_the_same_step(depot: Depot, senders: SendersEnd) -> None:
    for _ in range(3):
        await depot.running(await depot.sequence(await depot.tenant(), NOW), 400)
    pace = replace(PACE, claim_size=150)
    ticks = [depot.tick(senders.broker, pace) for _ in range(4)]

    async def run(replica: int) -> None:
        while await ticks[replica]():
            pass

    await asyncio.gather(*map(run, range(4)))

    items = await senders.take(1200)
    assert max(Counter(item.enrollment_id for item in items).values()) == 1
    assert {item.attempt for item in items} == {1}


async def test_a_message_holds_at_most_fifty_steps_of_one_tenant_and_sender(depot: Depot, senders: SendersEnd) -> None:
    owner = {}
    for _ in range(2):
        sequence = await depot.sequence(await depot.tenant(), NOW)
        for enrollment in await depot.running(sequence, 70):
            owner[enrollment] = sequence.tenant_id

    await depot.tick(senders.broker)()

    messages = senders.messages
    items = await senders.take(140)
    assert len(items) == len(owner)
    assert sorted(len(message.items) for message in messages) == [20, 20, 50, 50]
    for message in messages:
        assert {owner[item.enrollment_id] for item in message.items} == {message.tenant_id}
        assert message.sender_id == message.tenant_id


async def test_a_claimer_that_hung_past_its_lease_marks_nothing(depot: Depot, senders: SendersEnd) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW, SECOND)
    enrollments = await depot.running(sequence, 3)
    stale = await claim(depot, sequence)
    await depot.travel(LEASE + SECOND)
    await depot.tick(senders.broker)()
    again = await senders.take(3)
    before = [tuple(await depot.progress(id_)) for id_ in enrollments]

    assert await mark(depot, sequence, stale) == 0

    assert [tuple(await depot.progress(id_)) for id_ in enrollments] == before
    assert [item.attempt for item in again] == [1, 1, 1], "the same attempt: the ledger makes it harmless"
    assert all([(await depot.progress(id_))["emissions"] == 2 for id_ in enrollments])


async def test_a_claim_is_nobody_elses_while_its_lease_lasts(depot: Depot, senders: SendersEnd) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW)
    await depot.running(sequence)
    mine = await claim(depot, sequence)
    await depot.travel(LEASE - SECOND)

    await depot.tick(senders.broker)()

    assert senders.items == []
    assert await mark(depot, sequence, mine) == 1


async def test_an_answer_may_come_before_the_mark(depot: Depot) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW, SECOND)
    (enrollment,) = await depot.running(sequence)
    claimed = await claim(depot, sequence)

    await depot.answer(sequence.tenant_id, settled(claimed[0], "accepted", depot.start))

    assert await mark(depot, sequence, claimed) == 0
    row = await depot.progress(enrollment)
    assert (row["phase"], row["step_key"]) == ("waiting", "step-2")


async def test_a_step_without_an_answer_goes_out_again_as_the_same_attempt(depot: Depot, senders: SendersEnd) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW)
    (enrollment,) = await depot.running(sequence)
    tick = depot.tick(senders.broker)
    seen = []
    for _ in range(MAX_EMISSIONS):
        await tick()
        seen += await senders.take(1)
        await depot.travel(TIME_TO_ANSWER + SECOND)

    assert {(item.enrollment_id, item.step_key, item.attempt) for item in seen} == {(enrollment, "step-1", 1)}
    await tick()
    row = await depot.progress(enrollment)
    assert (row["state"], row["phase"]) == ("active", "held")
    assert row["needs_attention_at"] is not None
    assert row["reason"] is not None
    assert "no_answer_from_sender" in row["reason"]
    assert senders.items == []


async def test_a_step_that_needs_attention_goes_on_when_a_late_answer_comes(depot: Depot, senders: SendersEnd) -> None:
    sequence, item = await unanswered(depot, senders)
    late = await depot.travel(SECOND)

    await depot.answer(sequence.tenant_id, settled(item, "accepted", late))

    row = await depot.progress(item.enrollment_id)
    assert (row["phase"], row["step_key"], row["needs_attention_at"]) == ("waiting", "step-2", None)


async def test_a_step_that_needs_attention_is_still_offered_now_and_then(depot: Depot, senders: SendersEnd) -> None:
    _, item = await unanswered(depot, senders)
    attention = (await depot.progress(item.enrollment_id))["needs_attention_at"]
    await depot.travel(timedelta(minutes=15))

    await depot.tick(senders.broker)()

    (again,) = await senders.take(1)
    row = await depot.progress(item.enrollment_id)
    assert (again.attempt, row["phase"], row["needs_attention_at"]) == (1, "in_flight", attention)


async def test_an_answer_told_twice_or_to_an_older_attempt_changes_nothing(depot: Depot, senders: SendersEnd) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW, NOW)
    (enrollment,) = await depot.running(sequence)
    tick = depot.tick(senders.broker)
    await tick()
    (first,) = await senders.take(1)
    deferred = settled(first, "deferred", depot.start)
    await depot.answer(sequence.tenant_id, deferred, deferred)
    await depot.travel(timedelta(minutes=2))
    await tick()
    (second,) = await senders.take(1)
    before = tuple(await depot.progress(enrollment))

    await depot.answer(sequence.tenant_id, deferred, settled(first, "accepted", depot.start))

    assert tuple(await depot.progress(enrollment)) == before
    assert (second.step_key, second.attempt) == ("step-1", 2)


async def test_a_deferral_waits_here_and_is_a_new_attempt(depot: Depot, senders: SendersEnd) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW)
    (enrollment,) = await depot.running(sequence)
    tick = depot.tick(senders.broker)
    await tick()
    (first,) = await senders.take(1)

    await depot.answer(sequence.tenant_id, settled(first, "deferred", depot.start, retry_after=120.0))

    row = await depot.progress(enrollment)
    assert (row["phase"], row["deferrals"]) == ("waiting", 1)
    assert row["wake_at"] == depot.start + timedelta(seconds=120)
    await depot.travel(timedelta(seconds=120))
    await tick()
    (second,) = await senders.take(1)
    assert (second.step_key, second.attempt) == ("step-1", 2)


async def test_what_the_broker_has_not_confirmed_comes_again(
    depot: Depot, senders: SendersEnd, module_vhost: str
) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW)
    await depot.running(sequence)
    async with hung_broker(module_vhost) as broker:
        with pytest.raises(PublishError):
            await depot.tick(broker)()
    assert await claims(depot) == [1]

    await depot.travel(LEASE)
    await depot.tick(senders.broker)()

    assert {item.attempt for item in senders.items or await senders.take(1)} == {1}


async def test_a_broker_that_takes_nothing_is_asked_with_one_step_at_a_time(depot: Depot, vhost: str) -> None:
    for _ in range(2):
        await depot.running(await depot.sequence(await depot.tenant(), NOW), 100)
    async with await Broker.connect(vhost, name="refusing") as broker:
        await declare_topology(broker)
        tick = depot.tick(broker, replace(PACE, claim_size=40))
        for _ in range(4):
            async with broker.channel(prefetch=1) as channel:
                await channel.queue_delete(SENDER_DUE.name)
            with pytest.raises(PublishError):
                await tick()

        assert await claims(depot) == [1] * 43, "forty at first, then three to find out"
        await tick()  # the broker has declared its queue again
        await tick()
    assert len(await claims(depot)) == 43, "published at last, and the others with them"


@asynccontextmanager
async def hung_broker(url: str) -> AsyncIterator[Broker]:
    """A broker that answers no more, while the connection to it stays."""
    direct = URL(url)
    async with tcp_proxy(str(direct.host), int(direct.port or 5672)) as proxy:
        through = str(direct.with_port(proxy.port))
        async with await Broker.connect(through, name="hung", publish_seconds=0.3) as broker:
            proxy.freeze()
            yield broker


async def claims(depot: Depot) -> list[int]:
    """The attempts of claimed rows."""
    return [
        row["attempt"]
        for row in await depot.admin.fetch("SELECT attempt FROM schedule.progress WHERE phase = 'claimed'")
    ]


async def test_nothing_is_claimed_while_there_is_no_broker(depot: Depot, module_vhost: str) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW)
    (enrollment,) = await depot.running(sequence)
    broker = await Broker.connect(module_vhost, name="closed")
    await broker.close()

    assert await depot.tick(broker)() is False

    assert (await depot.progress(enrollment))["phase"] == "waiting"


async def test_tenants_are_served_in_turn(depot: Depot, senders: SendersEnd) -> None:
    large = await depot.sequence(await depot.tenant(), NOW)
    await depot.running(large, 900)
    small = [await depot.sequence(await depot.tenant(), NOW) for _ in range(4)]
    for sequence in small:
        await depot.running(sequence, 5)

    assert await depot.tick(senders.broker, replace(PACE, claim_size=100))() is True, "there is more"

    await senders.take(20 + 20)
    claimed = await depot.admin.fetch(
        "SELECT tenant_id, count(*) FROM schedule.progress WHERE phase = 'in_flight' GROUP BY 1"
    )
    assert {row["tenant_id"]: row["count"] for row in claimed} == {
        large.tenant_id: 20,
        **{sequence.tenant_id: 5 for sequence in small},
    }


async def test_more_tenants_than_one_claim_takes_all_get_their_turn(depot: Depot, senders: SendersEnd) -> None:
    sequences = [await depot.sequence(await depot.tenant(), NOW) for _ in range(55)]
    for sequence in sequences:
        await depot.running(sequence, 12)
    tick = depot.tick(senders.broker, replace(PACE, claim_size=100))

    await tick()
    assert len({message.tenant_id for message in senders.messages}) <= 50
    await tick()

    await senders.take(10 * 50 + 10 * 5 + 2 * 45)
    served = await depot.admin.fetchval(
        "SELECT count(DISTINCT tenant_id) FROM schedule.progress WHERE phase = 'in_flight'"
    )
    assert served == 55


async def test_no_more_is_in_flight_than_the_cap(depot: Depot, senders: SendersEnd) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW)
    await depot.running(sequence, 100)
    tick = depot.tick(senders.broker, replace(PACE, claim_per_tenant=30, in_flight_per_tenant=50))

    for _ in range(5):
        await tick()

    first = await senders.take(60)  # a claim that begins below the cap may pass it by its own size
    answers = [settled(item, "accepted", depot.start) for item in first]
    await depot.answer(sequence.tenant_id, *answers)
    await tick()
    await senders.take(30)


async def test_what_is_overdue_at_the_senders_does_not_use_up_the_cap(depot: Depot, senders: SendersEnd) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW)
    await depot.running(sequence, 50)
    tick = depot.tick(senders.broker, replace(PACE, in_flight_per_tenant=50))
    await tick()
    await senders.take(50)
    await depot.travel(TIME_TO_ANSWER)

    await tick()

    await senders.take(50)


async def unanswered(depot: Depot, senders: SendersEnd) -> tuple[Course, StepDue]:
    """A step that no sender answers."""
    sequence = await depot.sequence(await depot.tenant(), NOW, SECOND)
    await depot.running(sequence)
    tick = depot.tick(senders.broker)
    for _ in range(MAX_EMISSIONS):
        await tick()
        (item,) = await senders.take(1)
        await depot.travel(TIME_TO_ANSWER)
    await tick()
    return sequence, item
