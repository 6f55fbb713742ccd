"""Events become deliveries: a row for each event and each subscription that wants it, once."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from asyncpg import Pool

from postroad_common.amqp import Delivery
from postroad_common.db import AnyConnection, queries, transaction
from postroad_common.faults import reach
from postroad_common.ids import new_id
from postroad_sequence_api.metrics import WEBHOOKS_RECORDED
from postroad_sequence_api.webhooks.events import ALL, WebhookEvent
from postroad_sequence_api.webhooks.happenings import Enrollment, Happening, happenings

_SQL: Final = queries("postroad_sequence_api", "webhook_deliveries")

_TENANTS_REMEMBERED: Final = 10_000


class Recorder:
    """Records what the messages of the webhooks' queue tell. Safe to repeat."""

    def __init__(self, pool: Pool, *, remember: timedelta, recorded: Callable[[], None]) -> None:
        self._pool = pool
        self._recorded = recorded
        self._wanted = Wanted(pool, remember)

    async def __call__(self, delivery: Delivery) -> None:
        """Record one message; at no cost for a tenant that subscribes to none of it."""
        message = delivery.message
        wanted = await self._wanted.of(message.tenant_id)
        if not wanted:
            return
        told = [one for one in happenings(message) if one.type in wanted or ALL in wanted]
        if not told:
            return
        async with transaction(self._pool, message.tenant_id) as conn:
            recorded = await record(conn, message.tenant_id, await _events(conn, message.tenant_id, told))
        if __debug__:
            reach("webhooks.recorded")
        WEBHOOKS_RECORDED.inc(recorded)
        self._recorded()


class Wanted:
    """The event types that a tenant's enabled subscriptions name, remembered for a while."""

    def __init__(self, pool: Pool, remember: timedelta) -> None:
        self._pool = pool
        self._seconds = remember.total_seconds()
        self._known: dict[UUID, tuple[float, frozenset[str]]] = {}

    async def of(self, tenant_id: UUID) -> frozenset[str]:
        """The types, as they were at most `remember` ago."""
        now = time.monotonic()
        until, types = self._known.get(tenant_id, (0.0, frozenset[str]()))
        if now >= until:
            async with transaction(self._pool, tenant_id) as conn:
                types = frozenset(row["event_type"] for row in await conn.fetch(_SQL.wanted, tenant_id))
            if len(self._known) >= _TENANTS_REMEMBERED:
                self._known.clear()
            self._known[tenant_id] = (now + self._seconds, types)
        return types


async def record(conn: AnyConnection, tenant_id: UUID, events: Sequence[WebhookEvent]) -> int:
    """Add the deliveries of events in the caller's transaction; how many are new, to count after its commit."""
    subscribers = await conn.fetch(_SQL.subscribers, tenant_id)
    rows = [
        (new_id(), subscriber["subscription_id"], event.id, event.type, event.timestamp, event.body())
        for event in events
        for subscriber in subscribers
        if ALL in subscriber["event_types"] or event.type in subscriber["event_types"]
    ]
    if not rows:
        return 0
    return len(await conn.fetch(_SQL.record, tenant_id, *map(list, zip(*rows, strict=True))))


async def _events(conn: AnyConnection, tenant_id: UUID, told: Iterable[Happening]) -> list[WebhookEvent]:
    listed = list(told)
    needed = [one.enrollment_id for one in listed if one.enrollment_id is not None]
    rows = await conn.fetch(_SQL.enrollments, tenant_id, needed) if needed else []
    known = {
        row["enrollment_id"]: Enrollment(row["contact_id"], row["sequence_id"], row["version"], row["created_at"])
        for row in rows
    }
    found = (one.tell(None if one.enrollment_id is None else known.get(one.enrollment_id)) for one in listed)
    return [event for event in found if event is not None]
