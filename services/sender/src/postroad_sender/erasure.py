"""What the ledger forgets of contacts that were erased."""

from typing import Final

from asyncpg import Pool

from postroad_common.contracts import ContactsErasedV1
from postroad_common.db import queries, transaction
from postroad_common.erasures import confirm, note

_SQL: Final = queries("postroad_sender", "erasures")


async def erase(pool: Pool, message: ContactsErasedV1) -> None:
    """Blank who they were in the ledger; what was sent when, and what came of it, stays. Safe to repeat.

    Raises Retry while a transaction runs that may not know of it yet.
    """
    tenant_id, people = message.tenant_id, [item.contact_id for item in message.items]
    addresses = [address for item in message.items for address in item.addresses]
    if not await note(pool, "delivery", tenant_id, people):
        return
    async with transaction(pool, tenant_id) as conn:
        await conn.execute(_SQL.blank_messages, tenant_id, people)
        await conn.execute(_SQL.delete_sources, tenant_id, people)
        await conn.execute(_SQL.unlink_bounced, tenant_id, addresses)
        await confirm(conn, "delivery", tenant_id, people)
