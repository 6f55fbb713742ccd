"""What the tracker forgets of contacts that were erased."""

from typing import Final
from uuid import UUID

from asyncpg import Pool

from postroad_common.contracts import ContactsErasedV1
from postroad_common.db import queries, transaction
from postroad_common.erasures import confirm, note

_SQL: Final = queries("postroad_tracker", "erasures")
_STEP: Final = 500


async def erase(pool: Pool, message: ContactsErasedV1) -> None:
    """Delete what names them; that something happened, and when, stays. Safe to repeat.

    Raises Retry while a transaction runs that may not know of it yet.
    """
    tenant_id, people = message.tenant_id, [item.contact_id for item in message.items]
    ways = [enrollment_id for item in message.items for enrollment_id in item.enrollment_ids]
    addresses = [address for item in message.items for address in item.addresses]
    if not await note(pool, "tracking", tenant_id, people):
        return
    async with transaction(pool, tenant_id) as conn:
        await conn.execute(_SQL.delete_personal_data, tenant_id, people, ways, addresses)
        await conn.execute(_SQL.blank_events, tenant_id, people, ways)
        await conn.execute(_SQL.delete_engagement, tenant_id, people)
        await conn.execute(_SQL.unlink_stops, tenant_id, addresses)
    await _delete_raw_requests(pool, tenant_id, addresses)
    async with transaction(pool, tenant_id) as conn:
        await confirm(conn, "tracking", tenant_id, people)


async def _delete_raw_requests(pool: Pool, tenant_id: UUID, addresses: list[str]) -> None:
    after: UUID | None = UUID(int=0)
    while after is not None:
        async with transaction(pool, tenant_id) as conn:
            after = await conn.fetchval(_SQL.delete_raw_requests, tenant_id, addresses, after, _STEP)
