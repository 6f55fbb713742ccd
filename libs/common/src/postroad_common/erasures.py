"""What each service that erases people does first and last: it notes whom, and says when it is done."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Literal, TypeAlias
from uuid import UUID

from asyncpg import Pool

from postroad_common.amqp import Retry
from postroad_common.db import AnyConnection, Queries, queries, transaction

Schema: TypeAlias = Literal["delivery", "tracking"]

_SQL: Final[dict[str, Queries]] = {
    schema: queries("postroad_common", "erasures", schema=schema) for schema in ("delivery", "tracking")
}
_AGAIN: Final = timedelta(seconds=1)


async def note(pool: Pool, schema: Schema, tenant_id: UUID, people: Sequence[UUID]) -> bool:
    """Note whom the service must write of no more; False: all of them were erased before.

    Raises Retry while a transaction runs that may not know of it yet. What is deleted after this is not written again.
    """
    sql = _SQL[schema]
    async with transaction(pool, tenant_id) as conn:
        if not await conn.fetch(sql.left, tenant_id, people):
            return False
        await conn.execute(sql.note, tenant_id, people)
    async with transaction(pool, tenant_id) as conn:
        dated = await conn.fetch(sql.date, tenant_id, people)
    if dated:
        # A statement that has begun may have no transaction id yet: it gets one within this time.
        raise Retry("the erasure was noted just now", _AGAIN)
    async with transaction(pool, tenant_id) as conn:
        if await conn.fetch(sql.unseen, tenant_id, people):
            raise Retry("a transaction runs that is older than the erasure", _AGAIN)
    return True


async def confirm(conn: AnyConnection, schema: Schema, tenant_id: UUID, people: Sequence[UUID]) -> None:
    """Say that the service has erased them: in the last transaction of what it deletes."""
    await conn.execute(_SQL[schema].done, tenant_id, people)
