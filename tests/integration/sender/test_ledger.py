"""The ledger row is the permit: whoever gets it transmits, everybody else publishes what is known."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Literal

import pytest

from postroad_common.contracts import Evidence, MessagesDeliveredV1, MessagesSettledByHandV1, SettledByHand
from postroad_common.ids import new_id
from postroad_common.metrics import REGISTRY
from postroad_stack import eventually
from postroad_stack.smtp_server import Behaviour, SmtpServer, defer, drop_after_dot
from tests.integration.sender.office import Office, Post, recipients, running_sender, step


async def test_two_senders_with_the_same_items_send_each_once(office: Office, post: Post, smtp: SmtpServer) -> None:
    items = await office.enroll_many(200)
    async with running_sender(office, prefetch=1), running_sender(office, prefetch=1):
        await asyncio.gather(post.send(*items), post.send(*reversed(items)), post.send(*items[::2], *items[1::2]))
        assert set(await post.answers(items, timeout=60)) == {"accepted"}
    assert sorted(recipients(smtp)) == sorted(f"c{number}@recipient.example" for number in range(200))
    assert {entry.outcome for entry in post.settled} == {"accepted"}


async def test_same_attempt_again_publishes_its_settlement_again_and_sends_nothing(
    office: Office, post: Post, smtp: SmtpServer
) -> None:
    item = await office.enroll("zoe@recipient.example")
    async with running_sender(office):
        await post.send(item)
        first = await post.answer(item)
        await post.send(item)
        await eventually(lambda: len(post.of(item)) == 2)
    assert post.of(item)[1] == first
    assert recipients(smtp) == ["zoe@recipient.example"]


async def test_later_attempt_of_a_final_message_gets_its_outcome(office: Office, post: Post, smtp: SmtpServer) -> None:
    item = await office.enroll("zoe@recipient.example")
    async with running_sender(office):
        await post.send(item)
        await post.answer(item)
        await post.send(step(item, attempt=7))
        assert (await post.answer(step(item, attempt=7))).outcome == "accepted"
    assert recipients(smtp) == ["zoe@recipient.example"]


async def test_earlier_attempt_gets_what_became_of_it_then(office: Office, post: Post, smtp: SmtpServer) -> None:
    await smtp.set_behaviour(Behaviour((defer(times=2),)))
    item = await office.enroll("zoe@recipient.example")
    async with running_sender(office):
        for attempt in (1, 2):
            await post.send(step(item, attempt=attempt))
            await post.answer(step(item, attempt=attempt))
        first = post.of(item)[0]
        await post.send(item)
        await eventually(lambda: len(post.of(item)) == 3)
        assert post.of(item)[2].model_copy(update={"bounce_type": None}) == first
        row = await office.row(item)
        assert row is not None
        assert (row["state"], row["attempt"]) == ("deferred", 2)
    assert recipients(smtp) == []


async def test_evidence_makes_an_unknown_message_accepted_once(office: Office, post: Post, smtp: SmtpServer) -> None:
    await smtp.set_behaviour(Behaviour((drop_after_dot(times=1),)))
    item = await office.enroll("zoe@recipient.example")
    event = Evidence(
        message_id=office.message_id(item), event_id=new_id(), kind="delivered", occurred_at=datetime.now(UTC)
    )
    async with running_sender(office):
        await post.send(item)
        assert (await post.answer(item)).outcome == "unknown"
        for _ in range(2):
            await post.broker.publish(MessagesDeliveredV1(tenant_id=office.tenant_id, items=(event,)))

        async def accepted() -> bool:
            return await office.state(item) == "accepted"

        await eventually(accepted)
    row = await office.row(item)
    assert row is not None
    assert row["reason"][0]["kind"] == "settled_by_evidence"
    assert await office.attempts(item) == ["unknown", "accepted"]


@pytest.mark.parametrize(("outcome", "state"), [("sent", "accepted"), ("not_sent", "cancelled")])
async def test_the_first_word_on_an_unknown_message_settles_it_with_who_and_why_and_nothing_is_sent(
    office: Office, post: Post, smtp: SmtpServer, outcome: Literal["sent", "not_sent"], state: str
) -> None:
    await smtp.set_behaviour(Behaviour((drop_after_dot(times=1),)))
    item = await office.enroll("zoe@recipient.example")
    key, now = new_id(), datetime.now(UTC)
    word = SettledByHand(
        message_id=office.message_id(item), outcome=outcome, because="to=<zoe@recipient.example>", api_key_id=key,
        requested_at=now,
    )  # fmt: skip
    later = word.model_copy(update={"outcome": "sent" if outcome == "not_sent" else "not_sent"})
    event = Evidence(message_id=word.message_id, event_id=new_id(), kind="delivered", occurred_at=now)
    async with running_sender(office):
        await post.send(item)
        assert (await post.answer(item)).outcome == "unknown"
        before = evidence_taken()
        for taken, said in enumerate((word, word, later), 1):
            await post.broker.publish(MessagesSettledByHandV1(tenant_id=office.tenant_id, items=(said,)))
            # Of words that wait at once, any may be the first.
            await eventually(partial(have_taken, before + taken))
        await post.broker.publish(MessagesDeliveredV1(tenant_id=office.tenant_id, items=(event,)))
        await eventually(lambda: evidence_taken() == before + 4)
        await post.send(step(item, attempt=2))
        assert (await post.answer(step(item, attempt=2))).outcome == state
    row = await office.row(item)
    assert row is not None
    [reason] = row["reason"]
    assert (row["state"], reason["kind"], reason["api_key_id"]) == (state, "settled_by_hand", str(key))
    assert "zoe@" not in reason["because"]
    assert await office.attempts(item) == ["unknown", state]
    assert recipients(smtp) == ["zoe@recipient.example"]


def have_taken(count: float) -> bool:
    """Whether the consumer of evidence has dealt with so many messages."""
    return evidence_taken() == count


def evidence_taken() -> float:
    """How many messages the consumer of evidence has dealt with in this process."""
    labels = {"queue": "sender.evidence", "fate": "done"}
    return REGISTRY.get_sample_value("postroad_amqp_handled_messages_total", labels) or 0.0


async def test_evidence_changes_nothing_that_is_known(office: Office, post: Post, smtp: SmtpServer) -> None:
    await smtp.set_behaviour(Behaviour((defer(),)))
    item = await office.enroll("zoe@recipient.example")
    event = Evidence(
        message_id=office.message_id(item), event_id=new_id(), kind="opened", occurred_at=datetime.now(UTC)
    )
    async with running_sender(office) as sender:
        await post.send(item)
        await post.answer(item)
        await post.broker.publish(MessagesDeliveredV1(tenant_id=office.tenant_id, items=(event,)))

        async def taken() -> bool:
            labels = {"queue": "sender.evidence", "fate": "done"}
            return bool(REGISTRY.get_sample_value("postroad_amqp_handled_messages_total", labels))

        await eventually(taken)
        assert not sender.crashed
    assert await office.state(item) == "deferred"


async def test_every_attempt_leaves_its_trace(office: Office, post: Post, smtp: SmtpServer) -> None:
    await smtp.set_behaviour(Behaviour((defer(times=1),)))
    item = await office.enroll("zoe@recipient.example")
    async with running_sender(office):
        for attempt in (1, 2):
            await post.send(step(item, attempt=attempt))
            await post.answer(step(item, attempt=attempt))
    rows = await office.admin.fetch(
        "SELECT * FROM delivery.attempts WHERE tenant_id = $1 ORDER BY attempt_id", office.tenant_id
    )
    assert [(row["attempt"], row["outcome"]) for row in rows] == [(1, "deferred"), (2, "accepted")]
    for row in rows:
        assert row["transmitting_at"] <= row["gated_at"] <= row["settled_at"]
