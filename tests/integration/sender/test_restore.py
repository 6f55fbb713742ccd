"""In a database that was restored: nothing goes, and what may have been sent in its lost life is named."""

from datetime import datetime, timedelta

import pytest

from postroad_common.ids import new_id
from postroad_stack import eventually
from postroad_stack.databases import Database
from postroad_stack.smtp_server import SmtpServer
from tests.integration.sender.office import Office, Post, recipients, running_sender, step
from tests.integration.sender.test_incarnation import ORPHAN

ADOPT = """
INSERT INTO sequence.installation (system_identifier, timeline, database_oid, written_by)
SELECT s.system_identifier, postroad.timeline(), d.oid, pg_current_xact_id()::text::bigint
FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()
"""
HELD = "held_at = now(), held_because = 'test'"
RECONCILING = f"{HELD}, reconciling_at = now(), lost_from = $1, lost_until = $2"


@pytest.fixture
def module_database(database: Database) -> Database:
    """A database for each test here: a hold is everybody's."""
    return database


async def hold(office: Office, change: str, *arguments: object) -> None:
    """Change the row of the installation, which stays where it is."""
    await office.admin.execute("DELETE FROM sequence.installation")
    await office.admin.execute(ADOPT)
    await office.admin.execute(
        f"UPDATE sequence.installation SET {change}, written_by = pg_current_xact_id()::text::bigint", *arguments
    )


async def test_a_due_item_of_a_held_database_is_held_and_goes_after_the_release(
    office: Office, post: Post, smtp: SmtpServer
) -> None:
    item = await office.enroll("zoe@recipient.example")
    await hold(office, HELD)
    async with running_sender(office):
        await post.send(item)
        settled = await post.answer(item)
        assert (settled.outcome, settled.reasons[0]["kind"]) == ("held", "database_held")
        assert await office.value("SELECT count(*) FROM delivery.incarnations WHERE $1::uuid IS NOT NULL") == 0

        await hold(office, "held_at = NULL, held_because = NULL")
        again = step(item, attempt=2)
        await post.send(again)
        assert (await post.answer(again)).outcome == "accepted"
    assert recipients(smtp) == ["zoe@recipient.example"]


@pytest.mark.parametrize("before_backup", [True, False])
async def test_a_step_of_the_lost_time_is_unknown_since_it_may_have_gone_and_stays_so_after_the_release(
    office: Office, post: Post, smtp: SmtpServer, *, before_backup: bool
) -> None:
    item = await office.enroll("zoe@recipient.example")
    backup: datetime = item.due_at + timedelta(minutes=5 if before_backup else -5)
    await hold(office, RECONCILING, backup, item.due_at + timedelta(minutes=10))
    async with running_sender(office):
        await post.send(item)
        settled = await post.answer(item)
        assert (settled.outcome, settled.reasons[0]["kind"]) == ("unknown", "may_have_been_sent")
        assert settled.settled_at == (backup if before_backup else item.due_at)
        await hold(office, "lost_until = $1", item.due_at)
        late = await office.enroll("ada@recipient.example")
        straggler = late.model_copy(update={"due_at": item.due_at})
        await post.send(straggler)
        assert (await post.answer(straggler)).outcome == "unknown"
    assert await office.attempts(item) == ["unknown"]
    assert recipients(smtp) == []


async def test_an_orphan_of_a_restored_database_counts_from_when_it_may_have_been_sent(
    office: Office, post: Post, smtp: SmtpServer
) -> None:
    item = await office.enroll("zoe@recipient.example")
    await office.execute(
        ORPHAN, item.enrollment_id, office.message_id(item), office.sequence_id, item.contact_id, office.sender_id
    )
    yesterday = await office.value(
        "UPDATE delivery.messages SET transmitting_at = now() - interval '1 day' WHERE tenant_id = $1"
        " RETURNING transmitting_at"
    )
    await hold(office, HELD)
    async with running_sender(office):
        settled = await post.answer(item)
    assert (settled.outcome, settled.settled_at) == ("unknown", yesterday)
    assert recipients(smtp) == []


async def test_a_due_item_of_an_enrollment_that_the_database_lost_writes_nothing(
    office: Office, post: Post, smtp: SmtpServer
) -> None:
    item = await office.enroll("zoe@recipient.example")
    lost = item.model_copy(update={"enrollment_id": new_id(), "contact_id": new_id()})
    async with running_sender(office):
        await post.send(lost)
        assert (await post.answer(lost)).outcome == "cancelled"
    assert await office.row(lost) is None
    assert recipients(smtp) == []


async def test_a_database_put_back_under_a_running_sender_is_held(office: Office, post: Post, smtp: SmtpServer) -> None:
    """Its last heartbeat is gone, as after a snapshot of the files was put back: nothing else would tell."""
    await hold(office, "held_at = NULL, held_because = NULL")
    first, second = await office.enroll("a@recipient.example"), await office.enroll("b@recipient.example")

    async def is_held() -> bool:
        return bool(await office.admin.fetchval("SELECT held FROM views.hold"))

    async with running_sender(office):
        await post.send(first)
        assert (await post.answer(first)).outcome == "accepted"
        assert not await is_held()
        await office.admin.execute(
            "UPDATE delivery.incarnations SET beat_at = beat_at - interval '1 h', expires_at = now() + interval '1 h'"
        )
        await eventually(is_held, timeout=15)
        await post.send(second)
        assert (await post.answer(second)).outcome == "held"
    assert recipients(smtp) == ["a@recipient.example"]
