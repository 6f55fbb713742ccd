"""A process in the ledger: its heartbeat, what others judge when it is missing, and what it says when it comes back."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from postroad_common.db import create_pool
from postroad_sender import lane, ledger
from postroad_sender.incarnation import Incarnation
from postroad_stack import eventually
from postroad_stack.pytest_plugin import run
from postroad_stack.smtp_server import Behaviour, SmtpServer, Stage, delay, refuse
from tests.integration.sender.office import Office, Post, recipients, running_sender, step

EXPIRE = "UPDATE delivery.incarnations SET expires_at = now() - interval '1 s' WHERE stopped_at IS NULL"
ORPHAN = """
WITH dead AS (
    INSERT INTO delivery.incarnations (incarnation_id, host, pid, expires_at)
    VALUES (gen_random_uuid(), 'gone', 1, now() - interval '1 s') RETURNING incarnation_id)
INSERT INTO delivery.messages (tenant_id, enrollment_id, step_key, message_id, state, attempt, incarnation_id,
    sequence_id, version, step_number, contact_id, sender_id, recipient, rfc_message_id, due_at, transmitting_at)
SELECT $1, $2, 'hello', $3, 'transmitting', 1, incarnation_id,
    $4, 1, 1, $5, $6, 'zoe@recipient.example', '<x@y>', now(), now()
FROM dead
"""


async def test_message_of_a_dead_process_becomes_unknown_and_is_said_and_never_sent(
    office: Office, post: Post, smtp: SmtpServer
) -> None:
    item = await office.enroll("zoe@recipient.example")
    await office.execute(
        ORPHAN, item.enrollment_id, office.message_id(item), office.sequence_id, item.contact_id, office.sender_id
    )
    async with running_sender(office):
        await post.send(item)  # the redelivery of what the dead process had in hand
        settled = await post.answer(item)
    assert (settled.outcome, settled.reasons[0]["kind"]) == ("unknown", "outcome_unknown")
    assert (await office.state(item), await office.attempts(item)) == ("unknown", ["unknown"])
    assert recipients(smtp) == []


@pytest.mark.parametrize(
    ("reply", "late"), [(None, "accepted"), ("550 5.1.1 no such user", "refused"), ("451 later", "refused")]
)
async def test_late_answer_of_a_revived_process_settles_its_unknown(
    office: Office, post: Post, smtp: SmtpServer, reply: str | None, late: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    points: list[str] = []
    monkeypatch.setattr(lane, "reach", points.append)
    rules = [delay(1500)] if reply is None else [delay(1500, at=Stage.RCPT), refuse(reply=reply)]
    await smtp.set_behaviour(Behaviour(tuple(rules)))
    item = await office.enroll("zoe@recipient.example")

    async def in_state(state: str) -> bool:
        return await office.state(item) == state

    async with running_sender(office, heartbeat_seconds=60), running_sender(office, prefetch=1):
        await post.send(item)
        await eventually(lambda: "sender.gated" in points)
        await office.admin.execute(EXPIRE)
        await eventually(lambda: in_state("unknown"))
        assert (await post.answer(item)).outcome == "unknown"
        await eventually(lambda: in_state(late))
    assert await office.attempts(item) == ["unknown", late]
    assert len(recipients(smtp)) == (reply is None)


async def test_process_whose_incarnation_expired_goes_on_as_another(
    office: Office, post: Post, smtp: SmtpServer
) -> None:
    first, second = await office.enroll("a@recipient.example"), await office.enroll("b@recipient.example")
    async with running_sender(office):
        await post.send(first)
        await post.answer(first)
        await office.admin.execute(EXPIRE)
        await post.send(second)
        assert (await post.answer(second)).outcome == "accepted"
    rows = [await office.row(item) for item in (first, second)]
    assert len({row["incarnation_id"] for row in rows if row is not None}) == 2
    assert recipients(smtp) == ["a@recipient.example", "b@recipient.example"]


async def test_incarnation_that_expires_between_claim_and_look_sends_nothing(
    office: Office, post: Post, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = await office.enroll("zoe@recipient.example")
    expired: list[bool] = []

    async def expire() -> None:
        connection = await asyncpg.connect(office.database.admin_dsn)
        await connection.execute(EXPIRE)
        await connection.close()

    def reach(point: str) -> None:
        if point == "sender.claimed" and not expired:
            expired.append(True)
            run(expire())

    monkeypatch.setattr(ledger, "reach", reach)
    async with running_sender(office, recovery_seconds=60):
        await post.send(item)
        settled = await post.answer(item)
        assert (settled.outcome, settled.reasons[0]["kind"]) == ("held", "incarnation_expired")
        assert recipients(smtp) == []
        await post.send(step(item, attempt=2))
        assert (await post.answer(step(item, attempt=2))).outcome == "accepted"


async def test_redelivered_item_of_a_live_process_waits_for_its_outcome(
    office: Office, post: Post, smtp: SmtpServer
) -> None:
    await smtp.set_behaviour(Behaviour((delay(1500),)))
    item = await office.enroll("zoe@recipient.example")

    async def transmitting() -> bool:
        return await office.state(item) == "transmitting"

    async with running_sender(office, prefetch=1), running_sender(office, prefetch=1):
        await post.send(item)
        await eventually(transmitting)
        await post.send(item)
        await eventually(lambda: len(post.of(item)) == 2)
    assert [entry.outcome for entry in post.of(item)] == ["accepted", "accepted"]
    assert recipients(smtp) == ["zoe@recipient.example"]


async def test_process_that_could_not_renew_in_time_stops_claiming_by_its_own_clock(office: Office) -> None:
    pool = await create_pool(office.database.dsn("postroad_sender"), application_name="test", max_size=2)
    incarnation = Incarnation(pool, every=timedelta(seconds=60), lives=timedelta(seconds=0.3))
    beating = asyncio.create_task(incarnation.run())
    try:
        await asyncio.wait_for(incarnation.live(), 5)

        async def expired() -> bool:
            try:
                await asyncio.wait_for(incarnation.live(), 0.01)
            except TimeoutError:
                return True
            return False

        await eventually(expired)
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        await pool.close()


async def test_orderly_end_leaves_an_ended_incarnation(office: Office) -> None:
    begun = await office.admin.fetchval("SELECT clock_timestamp()")
    async with running_sender(office):
        own = await eventually(
            lambda: office.admin.fetchval(
                "SELECT incarnation_id FROM delivery.incarnations WHERE started_at > $1", begun
            )
        )
    assert await office.admin.fetchval(
        "SELECT stopped_at IS NOT NULL AND expires_at <= now() FROM delivery.incarnations WHERE incarnation_id = $1",
        own,
    )
