"""What the mail server does, and what becomes of the message, its address and its sender."""

from datetime import timedelta

import pytest

from postroad_common.metrics import REGISTRY
from postroad_sender import __main__ as service
from postroad_sender.metrics import PAUSED
from postroad_stack import eventually
from postroad_stack.smtp_server import (
    Behaviour,
    Rule,
    SmtpServer,
    Stage,
    busy,
    defer,
    drop_after_dot,
    refuse,
)
from tests.integration.sender.office import Office, Post, recipients, running_sender, step


async def test_unknown_address_is_refused_and_bounced_and_the_reply_is_kept(
    office: Office, post: Post, smtp: SmtpServer
) -> None:
    await smtp.set_behaviour(Behaviour((refuse("gone@*"),)))
    gone, there = await office.enroll("gone@recipient.example"), await office.enroll("there@recipient.example")
    async with running_sender(office):
        await post.send(gone, there)
        settled = await post.answer(gone)
        assert (await post.answer(there)).outcome == "accepted"
    assert (settled.outcome, settled.bounce_type) == ("refused", "hard")
    assert settled.reasons == ({"kind": "server_answered", "code": 550, "status": "5.1.1", "text": "No such user"},)
    row = await office.row(gone)
    assert row is not None
    assert (row["state"], row["reply_code"], row["reply_status"]) == ("refused", 550, "5.1.1")
    assert await office.value("SELECT array_agg(email) FROM delivery.bounced_addresses WHERE tenant_id = $1") == [
        "gone@recipient.example"
    ]


async def test_transient_refusal_is_deferred_and_the_next_attempt_sends_it(
    office: Office, post: Post, smtp: SmtpServer
) -> None:
    await smtp.set_behaviour(Behaviour((defer(times=1),)))
    item = await office.enroll("zoe@recipient.example")
    async with running_sender(office):
        await post.send(item)
        assert (await post.answer(item)).outcome == "deferred"
        assert await office.state(item) == "deferred"
        await post.send(step(item, attempt=2))
        assert (await post.answer(step(item, attempt=2))).outcome == "accepted"
    assert await office.attempts(item) == ["deferred", "accepted"]
    assert recipients(smtp) == ["zoe@recipient.example"]


@pytest.mark.parametrize("accepted", [True, False])
async def test_answer_lost_after_the_final_dot_is_unknown_and_never_sent_again(
    office: Office, post: Post, smtp: SmtpServer, accepted: bool
) -> None:
    await smtp.set_behaviour(Behaviour((drop_after_dot(accepted=accepted, times=1),)))
    item = await office.enroll("zoe@recipient.example")
    async with running_sender(office):
        await post.send(item)
        settled = await post.answer(item)
        assert (settled.outcome, settled.reasons[0]["kind"]) == ("unknown", "outcome_unknown")
        await post.send(step(item, attempt=2))
        assert (await post.answer(step(item, attempt=2))).outcome == "unknown"
    assert recipients(smtp) == ["zoe@recipient.example"] * accepted
    assert await office.attempts(item) == ["unknown"]


async def test_connection_lost_before_the_final_dot_is_deferred(office: Office, post: Post, smtp: SmtpServer) -> None:
    await smtp.set_behaviour(Behaviour((Rule(at=Stage.DATA, action="drop", times=1),)))
    item = await office.enroll("zoe@recipient.example")
    async with running_sender(office):
        await post.send(item)
        settled = await post.answer(item)
    assert (settled.outcome, settled.reasons[0]["kind"]) == ("deferred", "connection_failed")
    assert recipients(smtp) == []


async def test_server_that_is_away_rests_the_sender_and_uses_no_attempt_up(
    office: Office, post: Post, smtp: SmtpServer
) -> None:
    await office.execute("UPDATE sequence.senders SET port = 1 WHERE tenant_id = $1")
    items = await office.enroll_many(3)
    async with running_sender(office):
        await post.send(*items)
        assert await post.answers(items) == ["held"] * 3
        assert [reason["kind"] for reason in post.of(items[0])[0].reasons] == ["sender_paused", "connection_failed"]
        rest = await office.admin.fetchrow("SELECT * FROM delivery.sender_state WHERE tenant_id = $1", office.tenant_id)
        assert rest is not None
        assert rest["retry_at"] > rest["paused_at"]

        await post.send(*(step(item, attempt=2) for item in items))
        assert [(await post.answer(step(item, attempt=2))).outcome for item in items] == ["held"] * 3
    assert (
        await office.value("SELECT count(*) FROM delivery.attempts WHERE tenant_id = $1 AND outcome = 'deferred'") == 0
    )


async def test_rest_that_is_over_ends_with_the_first_message_that_is_accepted(
    office: Office, post: Post, smtp: SmtpServer
) -> None:
    await smtp.set_behaviour(Behaviour((busy(times=4),)))
    item = await office.enroll("zoe@recipient.example")
    async with running_sender(office, pause_outage_seconds=0.2):
        await post.send(item)
        assert (await post.answer(item)).outcome == "held"
        await eventually(
            lambda: office.value("SELECT retry_at < now() FROM delivery.sender_state WHERE tenant_id = $1")
        )
        for attempt in range(2, 6):
            await post.send(step(item, attempt=attempt))
            if (await post.answer(step(item, attempt=attempt))).outcome == "accepted":
                break
            await eventually(
                lambda: office.value("SELECT retry_at < now() FROM delivery.sender_state WHERE tenant_id = $1")
            )
        await eventually(lambda: office.value("SELECT count(*) = 0 FROM delivery.sender_state WHERE tenant_id = $1"))
    assert recipients(smtp) == ["zoe@recipient.example"]


async def test_sender_that_somebody_has_mended_is_tried_at_once(office: Office, post: Post, smtp: SmtpServer) -> None:
    await office.execute("UPDATE sequence.senders SET port = 1 WHERE tenant_id = $1")
    item = await office.enroll("zoe@recipient.example")
    async with running_sender(office, pause_outage_seconds=600):
        await post.send(item)
        assert (await post.answer(item)).outcome == "held"
        await office.execute(
            "UPDATE sequence.senders SET port = $2, updated_at = now() WHERE tenant_id = $1", smtp.port
        )
        await post.send(step(item, attempt=2))
        assert (await post.answer(step(item, attempt=2))).outcome == "accepted"
        await eventually(lambda: office.value("SELECT count(*) = 0 FROM delivery.sender_state WHERE tenant_id = $1"))
    assert recipients(smtp) == ["zoe@recipient.example"]


async def swept() -> None:
    """The sender has tidied up what is idle."""
    PAUSED.set(-1)
    await eventually(lambda: REGISTRY.get_sample_value("postroad_sender_paused_senders") == 0)


async def test_each_failure_in_a_row_rests_the_sender_longer_however_late_it_comes(
    office: Office, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SWEEP_EVERY", timedelta(milliseconds=50))
    await office.execute("UPDATE sequence.senders SET port = 1 WHERE tenant_id = $1")
    item = await office.enroll("zoe@recipient.example")
    rests: list[timedelta] = []
    async with running_sender(office, pause_outage_seconds=0.2, pause_outage_longest_seconds=0.7):
        for attempt in range(1, 5):
            await eventually(
                lambda: office.value(
                    "SELECT count(*) = 0 FROM delivery.sender_state WHERE tenant_id = $1 AND retry_at >= now()"
                )
            )
            await swept()
            await post.send(step(item, attempt=attempt))
            await post.answer(step(item, attempt=attempt))
            rests.append(
                await office.value("SELECT retry_at - paused_at FROM delivery.sender_state WHERE tenant_id = $1")
            )
    assert [round(rest.total_seconds(), 1) for rest in rests] == [0.2, 0.4, 0.7, 0.7]


@pytest.mark.parametrize(
    ("rule", "seconds"),
    [
        (refuse(reply="530 5.7.0 Authentication required"), 900),
        (refuse(reply="550 5.7.26 unauthenticated mail", at=Stage.DOT), 3600),
        (refuse(reply="454 Throttling failure", at=Stage.DOT), 60),
        (busy(reply="554 5.7.1 your address is blocked"), 3600),
        (busy(), 1),
    ],
    ids=["credentials", "policy", "throttled", "blocked at connect", "busy at connect"],
)
async def test_refusal_of_the_sender_rests_it_and_blames_no_contact(
    office: Office, post: Post, smtp: SmtpServer, rule: Rule, seconds: int
) -> None:
    await smtp.set_behaviour(Behaviour((rule,)))
    items = await office.enroll_many(10)
    async with running_sender(office):
        await post.send(*items)
        assert set(await post.answers(items)) == {"held"}
    assert recipients(smtp) == []
    rest = await office.value("SELECT retry_at - paused_at FROM delivery.sender_state WHERE tenant_id = $1")
    assert round(rest.total_seconds()) == seconds
    assert await office.value("SELECT count(*) FROM delivery.bounced_addresses WHERE tenant_id = $1") == 0
    kinds = {tuple(reason["kind"] for reason in post.of(item)[0].reasons) for item in items}
    assert kinds <= {("sender_paused", "server_answered"), ("sender_paused",)}


async def test_server_that_takes_fewer_connections_than_allowed_is_used_with_those(
    office: Office, post: Post, smtp: SmtpServer
) -> None:
    await smtp.set_behaviour(Behaviour((busy(skip=1),)))
    items = await office.enroll_many(30)
    async with running_sender(office):
        await post.send(*items)
        assert set(await post.answers(items)) == {"accepted"}
    assert len({mail.connection for mail in smtp.accepted()}) == 1


async def test_sender_whose_server_is_slow_gives_items_back_to_the_ladder(
    office: Office, post: Post, smtp: SmtpServer
) -> None:
    await office.execute("UPDATE sequence.senders SET max_connections = 1 WHERE tenant_id = $1")
    await smtp.set_behaviour(Behaviour(answer_delay_ms=(1500, 1500)))
    items = await office.enroll_many(3)
    async with running_sender(office, lane_wait_seconds=0.5):
        for item in items:
            await post.send(item)
        assert await post.answers(items) == ["accepted"] * 3
    assert sorted(recipients(smtp)) == sorted(f"c{number}@recipient.example" for number in range(3))
