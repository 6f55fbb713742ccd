"""What the ledger forgets of who is erased, and that nobody can write it again."""

from uuid import UUID

import asyncpg
import pytest

from postroad_common.amqp import Retry
from postroad_common.contracts import ContactsErasedV1, ErasedContact
from postroad_sender.erasure import erase
from postroad_stack import eventually
from tests.integration.sender.office import Office, Post, running_sender, step


async def test_the_ledger_names_nobody_who_is_erased_once_all_know_of_it_and_others_as_before(
    office: Office, post: Post
) -> None:
    erased, other = await office.enroll("gone@recipient.example"), await office.enroll("zoe@recipient.example")
    message = ContactsErasedV1(
        tenant_id=office.tenant_id,
        items=(
            ErasedContact(
                contact_id=erased.contact_id,
                addresses=("gone@recipient.example",),
                enrollment_ids=(erased.enrollment_id,),
            ),
        ),
    )
    async with running_sender(office) as service:
        await post.send(erased, other)
        assert await post.answers([erased, other]) == ["accepted", "accepted"]
        before = await office.row(other)
        older = await asyncpg.connect(office.database.admin_dsn)
        async with older.transaction():
            await older.execute("SELECT pg_current_xact_id()")  # as of one that writes
            for why in ("noted just now", "a transaction runs"):
                with pytest.raises(Retry, match=why):
                    await erase(service.pool, message)
        await older.close()

        async def is_erased() -> bool:
            try:
                await erase(service.pool, message)
            except Retry:  # other tests' transactions
                return False
            return True

        for _ in range(2):
            await eventually(is_erased, timeout=20, reason="no older transaction")
        row = await office.row(erased)
        assert row is not None
        assert (row["recipient"], row["subject"]) == (f"{erased.contact_id}@erased.invalid", None)
        assert (row["state"], await office.attempts(erased)) == ("accepted", ["accepted"])
        assert await office.row(other) == before
        assert await sources(office) == [office.message_id(other)]

        late = step(erased, 2)
        await post.send(late)  # a mail that is rendered before the API deletes the contact
        await post.answer(late)
        row = await office.row(late)
        assert row is not None
        assert (row["recipient"], row["subject"]) == (f"{erased.contact_id}@erased.invalid", None)
        assert await sources(office) == [office.message_id(other)]


async def sources(office: Office) -> list[UUID]:
    """Of which messages the whole text is kept."""
    rows = await office.admin.fetch(
        "SELECT message_id FROM delivery.message_sources WHERE tenant_id = $1", office.tenant_id
    )
    return [row["message_id"] for row in rows]
