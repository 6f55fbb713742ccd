"""The outbox: messages written in the transaction of the change they tell of, and the relay that publishes them."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Final, Literal, TypeAlias

import structlog
from asyncpg import Pool, Record

from postroad_common.amqp.broker import Broker
from postroad_common.amqp.wire import TRACEPARENT, Parcel
from postroad_common.contracts import Message
from postroad_common.db import AnyConnection, Queries, queries, transaction
from postroad_common.faults import reach
from postroad_common.loops import forever
from postroad_common.metrics import OUTBOX_AGE, RELAYED
from postroad_common.telemetry import current_traceparent

Schema: TypeAlias = Literal["sequence", "schedule", "tracking"]

BATCH: Final = 500
"""Rows in hand at once: what a relay that is killed may publish a second time."""

POLL: Final = timedelta(seconds=1)
"""For rows whose writer died before it could wake a relay; those of this process wake it at once."""

LOOK: Final = timedelta(seconds=15)
"""How often the age of the outbox is looked at."""

_TENANTS: Final = 50
_TENANTS_LOOKED_AT: Final = 500

_log = structlog.get_logger()
_SQL: Final[dict[str, Queries]] = {
    schema: queries("postroad_common", "outbox", schema=schema) for schema in ("sequence", "schedule", "tracking")
}


async def enqueue(
    conn: AnyConnection, schema: Schema, messages: Iterable[Message], *, traceparent: str | None = None
) -> None:
    """Write messages in the caller's transaction; wake the relay once that has committed."""
    listed = list(messages)
    parent = traceparent or current_traceparent()
    await conn.execute(
        _SQL[schema].enqueue,
        [message.tenant_id for message in listed],
        [message.type for message in listed],
        [message.to_bytes() for message in listed],
        [parent] * len(listed),
    )


class Relay:
    """Publishes what is in an outbox, deletes what is confirmed. Any number may run; a message may come twice."""

    def __init__(self, pool: Pool, broker: Broker, schema: Schema, *, poll: timedelta = POLL) -> None:
        self._pool = pool
        self._broker = broker
        self._schema = schema
        self._sql = _SQL[schema]
        self._poll = poll
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look now: something has been committed."""
        self._woken.set()

    async def run(self, stopping: asyncio.Event | None = None) -> None:
        """Relay until stopping is set, or for ever; outages are waited out."""
        await forever(self.relay_some, self._poll, wake=self._woken, stopping=stopping)

    async def look(self) -> None:
        """Show how long the oldest row of up to 500 tenants, drawn at random, has waited."""
        tenants = [row["tenant_id"] for row in await self._pool.fetch(self._sql.tenants, _TENANTS_LOOKED_AT)]
        age = None
        if tenants:
            async with transaction(self._pool, tenants) as conn:
                age = await conn.fetchval(self._sql.oldest, tenants)
        OUTBOX_AGE.labels(self._schema).set(age or 0)

    async def relay_some(self) -> bool:
        """Relay one batch; whether there may be more. Raises RETRYABLE, and PublishError when nothing was confirmed."""
        tenants = [row["tenant_id"] for row in await self._pool.fetch(self._sql.tenants, _TENANTS)]
        if not tenants:
            return False
        async with transaction(self._pool, tenants) as conn:
            rows = await conn.fetch(self._sql.claim, tenants, max(1, BATCH // len(tenants)))
            errors = await self._broker.publish_each([_parcel(row) for row in rows])
            if __debug__:
                reach("relay.published")
            confirmed = [row for row, error in zip(rows, errors, strict=True) if error is None]
            await conn.execute(
                self._sql.delete, [row["tenant_id"] for row in confirmed], [row["outbox_id"] for row in confirmed]
            )
        if __debug__:
            reach("relay.deleted")
        RELAYED.labels(self._schema).inc(len(confirmed))
        if refused := next(filter(None, errors), None):
            _log.warning("messages stay in the outbox for now", count=len(rows) - len(confirmed), error=str(refused))
            if not confirmed:
                raise refused
        return bool(rows)


def _parcel(row: Record) -> Parcel:
    traceparent = row["traceparent"]
    return Parcel(row["type"], row["body"], headers={TRACEPARENT: traceparent} if traceparent else {})
