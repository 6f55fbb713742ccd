"""Nothing after a stop: not when it was there before, and not when it comes between claim and look."""

from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from postroad_common.ids import new_id
from postroad_sender import ledger
from postroad_stack.pytest_plugin import run
from postroad_stack.smtp_server import SmtpServer
from tests.integration.sender.office import Office, Post, only_used, recipients, running_sender, step

ADDRESS = "zoe@recipient.example"


def update(table: str, what: str) -> str:
    return f"UPDATE {table} SET {what} WHERE tenant_id = $1"


def stop(kind: str, enrollment: str, email: str) -> str:
    columns = "tenant_id, stop_id, kind, event_id, enrollment_id, email"
    return f"INSERT INTO tracking.stops ({columns}) VALUES ($1, $2, '{kind}', $2, {enrollment}, {email})"


RESTING = "INSERT INTO delivery.sender_state VALUES ($1, $3, now(), now() + interval '1 h', '[]')"
BOUNCED = f"INSERT INTO delivery.bounced_addresses (tenant_id, email, message_id) VALUES ($1, '{ADDRESS}', $2)"
SUPPRESSED = f"INSERT INTO sequence.suppressions (tenant_id, email) VALUES ($1, '{ADDRESS}')"
ENDED = "state = 'completed', phase = 'ended', completed_at = now(), wake_at = NULL"

STOPS = {
    "enrollment paused": (update("sequence.enrollments", "intent = 'pause'"), "held", "enrollment_paused"),
    "enrollment stopped": (update("sequence.enrollments", "intent = 'stop'"), "cancelled", "enrollment_stopped"),
    "sequence paused": (update("sequence.sequences", "state = 'paused'"), "held", "sequence_inactive"),
    "sequence archived": (update("sequence.sequences", "state = 'archived'"), "cancelled", "sequence_inactive"),
    "sender paused by a person": (update("sequence.senders", "paused_at = now()"), "held", "sender_paused"),
    "sender resting": (RESTING, "held", "sender_paused"),
    "replied": (stop("replied", "$4", "NULL"), "cancelled", "suppressed"),
    "unsubscribed": (stop("unsubscribed", "NULL", f"'{ADDRESS}'"), "cancelled", "suppressed"),
    "complained": (stop("complained", "NULL", f"'{ADDRESS}'"), "cancelled", "suppressed"),
    "bounced by event": (stop("bounced", "NULL", f"'{ADDRESS}'"), "cancelled", "suppressed"),
    "bounced at a server": (BOUNCED, "cancelled", "suppressed"),
    "suppressed by a person": (SUPPRESSED, "cancelled", "suppressed"),
    "ended": (update("schedule.progress", ENDED), "cancelled", "already_ended"),
}


def committing(office: Office, statement: str, enrollment_id: UUID) -> Callable[[], Coroutine[Any, Any, None]]:
    """What commits a stop, on any loop."""
    numbered, used = only_used(statement, [office.tenant_id, new_id(), office.sender_id, enrollment_id])

    async def commit() -> None:
        connection = await asyncpg.connect(office.database.admin_dsn)
        await connection.execute(numbered, *used)
        await connection.close()

    return commit


@pytest.mark.parametrize("name", STOPS)
async def test_stop_before_the_item_comes_is_seen_and_said(
    office: Office, post: Post, smtp: SmtpServer, name: str
) -> None:
    statement, outcome, kind = STOPS[name]
    item = await office.enroll("zoe@recipient.example")
    await committing(office, statement, item.enrollment_id)()
    async with running_sender(office):
        await post.send(item)
        settled = await post.answer(item)
    assert (settled.outcome, settled.reasons[0]["kind"]) == (outcome, kind)
    row = await office.row(item)
    assert row is not None
    assert (row["state"], row["transmitting_at"]) == (outcome, None)
    assert (recipients(smtp), smtp.events("connected")) == ([], [])


@pytest.mark.parametrize("name", STOPS)
async def test_stop_between_claim_and_look_is_seen(
    office: Office, post: Post, smtp: SmtpServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement, outcome, kind = STOPS[name]
    item = await office.enroll("zoe@recipient.example")
    commit = committing(office, statement, item.enrollment_id)
    points: list[str] = []

    def reach(point: str) -> None:
        points.append(point)
        if point == "sender.claimed":
            run(commit())

    monkeypatch.setattr(ledger, "reach", reach)
    async with running_sender(office):
        await post.send(item)
        settled = await post.answer(item)
    assert points == ["sender.claimed"]
    assert (settled.outcome, settled.reasons[0]["kind"]) == (outcome, kind)
    row = await office.row(item)
    assert row is not None
    assert (row["state"], row["gated_at"] is None) == (outcome, False)
    assert recipients(smtp) == []
    assert await office.attempts(item) == [outcome]


async def test_held_message_goes_with_its_next_attempt_after_the_resume(
    office: Office, post: Post, smtp: SmtpServer
) -> None:
    items = await office.enroll_many(5)
    await office.execute("UPDATE sequence.sequences SET state = 'paused' WHERE tenant_id = $1")
    async with running_sender(office):
        await post.send(*items)
        assert await post.answers(items) == ["held"] * 5
        await office.execute("UPDATE sequence.sequences SET state = 'active' WHERE tenant_id = $1")
        await post.send(*(step(item, attempt=2) for item in items))
        assert [(await post.answer(step(item, attempt=2))).outcome for item in items] == ["accepted"] * 5
    assert len(recipients(smtp)) == 5


async def test_cancelled_message_is_never_sent(office: Office, post: Post, smtp: SmtpServer) -> None:
    item = await office.enroll("zoe@recipient.example")
    await office.execute("UPDATE sequence.enrollments SET intent = 'stop' WHERE tenant_id = $1")
    async with running_sender(office):
        await post.send(item)
        await post.answer(item)
        await office.execute("UPDATE sequence.enrollments SET intent = 'run' WHERE tenant_id = $1")
        await post.send(step(item, attempt=2))
        assert (await post.answer(step(item, attempt=2))).outcome == "cancelled"
    assert recipients(smtp) == []


async def test_step_past_its_last_moment_is_held(office: Office, post: Post, smtp: SmtpServer) -> None:
    item = await office.enroll("zoe@recipient.example")
    item = item.model_copy(update={"send_before": item.due_at})
    async with running_sender(office):
        await post.send(item)
        settled = await post.answer(item)
    assert (settled.outcome, settled.reasons[0]["kind"]) == ("held", "expired")


async def test_contact_that_was_deleted_is_cancelled(office: Office, post: Post) -> None:
    item = await office.enroll("zoe@recipient.example")
    item = item.model_copy(update={"contact_id": new_id()})
    async with running_sender(office):
        await post.send(item)
        settled = await post.answer(item)
    assert (settled.outcome, settled.reasons[0]["kind"]) == ("cancelled", "contact_gone")


async def test_stop_of_another_tenant_stops_nothing(office: Office, post: Post, smtp: SmtpServer) -> None:
    item = await office.enroll("zoe@recipient.example")
    other = new_id()
    await office.admin.execute("INSERT INTO sequence.tenants (tenant_id, name) VALUES ($1, 'other')", other)
    await office.admin.execute(SUPPRESSED, other)
    async with running_sender(office):
        await post.send(item)
        assert (await post.answer(item)).outcome == "accepted"
    assert recipients(smtp) == ["zoe@recipient.example"]
