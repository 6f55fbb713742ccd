"""What ends an enrollment before its last step; its slot is free in the same moment."""

from datetime import timedelta
from uuid import UUID

import pytest

from postroad_common.amqp import Delivery
from postroad_common.contracts import (
    ContactBouncedV1,
    ContactClickedV1,
    ContactComplainedV1,
    ContactOpenedV1,
    ContactRepliedV1,
    ContactUnsubscribedV1,
    EnrollmentsEndedV1,
    Message,
    Signal,
    from_bytes,
)
from postroad_common.ids import new_id
from postroad_engine.reasons import Suppressed
from postroad_scheduler.consumers.signals import SignalsConsumer
from postroad_scheduler.reconsidering import reconsider
from postroad_scheduler.sequences import on_sequence_changed
from postroad_scheduler.taking_up import take_up

from .depot import Depot, SendersEnd, keys, settled

NOW = timedelta(0)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


async def deliver(depot: Depot, message: Message) -> None:
    await SignalsConsumer(depot.context)(Delivery(message, 1, False, None, "test"))


def signal(depot: Depot, **about: object) -> Signal:
    return Signal.model_validate({"event_id": new_id(), "occurred_at": depot.start} | about)


async def test_a_reply_ends_its_enrollment_and_no_other(depot: Depot, senders: SendersEnd) -> None:
    tenant = await depot.tenant()
    first, second = await depot.sequence(tenant, NOW, DAY), await depot.sequence(tenant, DAY)
    contacts = await depot.contacts(tenant)
    (replied,), (other,) = await depot.enroll(first, contacts), await depot.enroll(second, contacts)
    await take_up(depot.context, keys(tenant, [replied, other]))

    reply = ContactRepliedV1(tenant_id=tenant, items=(signal(depot, enrollment_id=replied, contact_id=contacts[0]),))
    await deliver(depot, reply)
    await deliver(depot, reply)

    row = await depot.progress(replied)
    assert (row["state"], row["replied_at"], row["wake_at"]) == ("replied", depot.start, None)
    assert (await depot.progress(other))["state"] == "active"
    assert await depot.slots([replied, other]) == 1
    assert len(await depot.decisions(replied)) == 2
    await depot.travel(DAY)
    await depot.tick(senders.broker)()
    assert [item.enrollment_id for item in await senders.take(1)] == [other]


@pytest.mark.parametrize(
    ("message", "more", "state"),
    [
        (ContactBouncedV1, {"bounce_type": "hard"}, "bounced"),
        (ContactComplainedV1, {}, "unenrolled"),
        (ContactUnsubscribedV1, {}, "unenrolled"),
    ],
)
async def test_what_concerns_the_address_ends_all_that_runs_for_the_contact(
    depot: Depot, senders: SendersEnd, message: type, more: dict[str, str], state: str
) -> None:
    tenant = await depot.tenant()
    sequences = [await depot.sequence(tenant, NOW, DAY) for _ in range(3)]
    contact, bystander = await depot.contacts(tenant, 2)
    mine = [(await depot.enroll(sequence, [contact]))[0] for sequence in sequences]
    (others,) = await depot.enroll(sequences[0], [bystander])
    await take_up(depot.context, keys(tenant, [*mine, others]))
    await depot.tick(senders.broker)()
    items = {item.enrollment_id: item for item in await senders.take(4)}

    await deliver(depot, message(tenant_id=tenant, items=(signal(depot, contact_id=contact, **more),)))

    assert await depot.phases(mine) == {(state, "ended")}
    assert await depot.phases([others]) == {("active", "in_flight")}
    assert await depot.slots(mine) == 0
    await depot.answer(tenant, settled(items[mine[0]], "accepted", depot.start))
    assert await depot.phases(mine) == {(state, "ended")}, "a late answer revives nothing"


@pytest.mark.parametrize("kind", ["soft", "undetermined"])
async def test_a_bounce_that_is_not_hard_ends_nothing(depot: Depot, kind: str) -> None:
    sequence = await depot.sequence(await depot.tenant(), DAY)
    (contact,) = await depot.contacts(sequence.tenant_id)
    (enrollment,) = await depot.enroll(sequence, [contact])
    await take_up(depot.context, keys(sequence.tenant_id, [enrollment]))

    item = signal(depot, contact_id=contact, enrollment_id=enrollment, bounce_type=kind)
    await deliver(depot, ContactBouncedV1(tenant_id=sequence.tenant_id, items=(item,)))

    assert await depot.phases([enrollment]) == {("active", "waiting")}


@pytest.mark.parametrize("message", [ContactOpenedV1, ContactClickedV1])
async def test_opens_and_clicks_end_nothing(depot: Depot, message: type) -> None:
    sequence = await depot.sequence(await depot.tenant(), DAY)
    (enrollment,) = await depot.running(sequence)

    await deliver(depot, message(tenant_id=sequence.tenant_id, items=(signal(depot, enrollment_id=enrollment),)))

    assert await depot.phases([enrollment]) == {("active", "waiting")}


async def test_another_tenants_signal_ends_nothing(depot: Depot) -> None:
    sequence = await depot.sequence(await depot.tenant(), DAY)
    (contact,) = await depot.contacts(sequence.tenant_id)
    (enrollment,) = await depot.enroll(sequence, [contact])
    await take_up(depot.context, keys(sequence.tenant_id, [enrollment]))
    stranger: UUID = await depot.tenant()

    about = (signal(depot, contact_id=contact), signal(depot, enrollment_id=enrollment))
    await deliver(depot, ContactUnsubscribedV1(tenant_id=stranger, items=about))
    await deliver(depot, ContactRepliedV1(tenant_id=stranger, items=about))

    assert await depot.phases([enrollment]) == {("active", "waiting")}


async def test_a_stop_that_came_before_the_taking_up_is_seen_then(depot: Depot) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW)
    (contact,) = await depot.contacts(sequence.tenant_id)
    await depot.stop(sequence.tenant_id, "unsubscribed", email=f"{contact}@recipient.example")
    (enrollment,) = await depot.enroll(sequence, [contact])

    await take_up(depot.context, keys(sequence.tenant_id, [enrollment]))

    row = await depot.progress(enrollment)
    assert (row["state"], row["phase"]) == ("unenrolled", "ended")
    assert Suppressed.kind in row["reason"]
    assert await depot.slots([enrollment]) == 0


async def test_a_stopped_enrollment_ends_also_while_its_step_is_in_flight(depot: Depot, senders: SendersEnd) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW, SECOND)
    (enrollment,) = await depot.running(sequence)
    await depot.tick(senders.broker)()
    (item,) = await senders.take(1)

    await depot.want([enrollment], "stop")
    await reconsider(depot.context, keys(sequence.tenant_id, [enrollment]))
    await depot.answer(sequence.tenant_id, settled(item, "accepted", depot.start))

    row = await depot.progress(enrollment)
    assert (row["state"], row["step_key"], row["unenrolled_at"]) == ("unenrolled", "step-1", depot.start)
    assert await depot.slots([enrollment]) == 0


async def test_a_stop_whose_message_was_lost_is_found_when_the_step_comes_due(
    depot: Depot, senders: SendersEnd
) -> None:
    sequence = await depot.sequence(await depot.tenant(), SECOND)
    (enrollment,) = await depot.running(sequence)
    await depot.want([enrollment], "stop")
    await depot.travel(SECOND)

    await depot.tick(senders.broker)()

    assert await depot.phases([enrollment]) == {("unenrolled", "ended")}
    assert senders.items == []


async def test_an_archived_sequence_ends_what_runs(depot: Depot) -> None:
    sequence = await depot.sequence(await depot.tenant(), DAY)
    enrollments = await depot.running(sequence, 3)
    await depot.set_sequence(sequence, "archived")

    await on_sequence_changed(depot.context, sequence.tenant_id, sequence.sequence_id)

    assert await depot.phases(enrollments) == {("unenrolled", "ended")}
    assert await depot.slots(enrollments) == 0


@pytest.mark.parametrize(("bounce_type", "state"), [("hard", "bounced"), ("soft", "failed"), (None, "failed")])
async def test_a_refusal_ends_the_enrollment(
    depot: Depot, senders: SendersEnd, bounce_type: str | None, state: str
) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW, SECOND)
    (enrollment,) = await depot.running(sequence)
    await depot.tick(senders.broker)()
    (item,) = await senders.take(1)

    await depot.answer(sequence.tenant_id, settled(item, "refused", depot.start, bounce_type=bounce_type))

    assert await depot.phases([enrollment]) == {(state, "ended")}
    assert await depot.slots([enrollment]) == 0


async def test_an_unknown_outcome_counts_as_sent(depot: Depot, senders: SendersEnd) -> None:
    sequence = await depot.sequence(await depot.tenant(), NOW, SECOND)
    (enrollment,) = await depot.running(sequence)
    await depot.tick(senders.broker)()
    (item,) = await senders.take(1)

    await depot.answer(sequence.tenant_id, settled(item, "unknown", depot.start))

    row = await depot.progress(enrollment)
    assert (row["phase"], row["step_key"], row["next_due_at"]) == ("waiting", "step-2", depot.start + SECOND)


async def test_an_end_is_told_of_once_in_the_transaction_that_makes_it(depot: Depot, senders: SendersEnd) -> None:
    sequence = await depot.sequence(await depot.tenant(), DAY)
    running, waiting = await depot.running(sequence, 2)
    contacts = await depot.contacts(sequence.tenant_id)
    stillborn = await depot.enroll(sequence, contacts, intent="stop")
    await take_up(depot.context, keys(sequence.tenant_id, stillborn))
    await depot.want([running], "stop")
    for _ in range(2):
        await reconsider(depot.context, keys(sequence.tenant_id, [running, waiting, *stillborn]))

    rows = await depot.admin.fetch("SELECT type, body FROM schedule.outbox ORDER BY outbox_id")

    messages = [from_bytes(row["type"], row["body"]) for row in rows]
    ended = [item for message in messages if isinstance(message, EnrollmentsEndedV1) for item in message.items]
    assert [(one.enrollment_id, one.state, one.ended_at) for one in ended] == [
        (stillborn[0], "unenrolled", depot.start), (running, "unenrolled", depot.start)
    ]  # fmt: skip
    assert (ended[0].contact_id, ended[0].sequence_id, ended[0].version) == (contacts[0], sequence.sequence_id, 1)
