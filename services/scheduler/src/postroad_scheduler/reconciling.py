"""What lost messages left behind is found by comparing rows: untaken enrollments, unapplied intents, ended holds."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

import structlog
from asyncpg import Record

from postroad_common.clock import database_now
from postroad_common.db import AnyConnection, transaction
from postroad_common.lifecycle import is_outage
from postroad_scheduler.context import Context
from postroad_scheduler.metrics import HELD, IN_FLIGHT, NEEDS_ATTENTION, OLDEST_DUE, RECONCILED
from postroad_scheduler.reconsidering import reconsider
from postroad_scheduler.store import reconcile as store
from postroad_scheduler.taking_up import take_up
from postroad_scheduler.values import Key

TENANTS: Final = 50
ROWS_PER_TENANT: Final = 500
OVERLAP: Final = timedelta(minutes=1)
"""Compared once more: a transaction may commit this much later than the times that it wrote."""

_FIRST: Final = UUID(int=0)
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)

_log = structlog.get_logger()

Find = Callable[[AnyConnection, Mapping[UUID, Any]], Awaitable[list[Record]]]
Mend = Callable[[Sequence[Key]], Awaitable[object]]


class Reconcile:
    """Compares what has changed since the last time, and everything at the first time and now and then."""

    def __init__(self, context: Context, *, after: timedelta, all_every: timedelta) -> None:
        self._context = context
        self._after = after
        self._all_every = all_every
        self._since = _EVER
        self._all_at = _EVER

    async def __call__(self) -> None:
        """One comparison over all tenants. What fails is compared again the next time."""
        async with self._context.pool.acquire() as conn:
            now = await database_now(conn)
        everything = now - self._all_at >= self._all_every
        until = now - self._after
        since = _EVER if everything else self._since - OVERLAP
        last, counts = _FIRST, store.Census()
        while tenants := await self._tenants(last):
            await self._compare(tenants, since, until)
            counts = await self._count(tenants, counts)
            last = tenants[-1]
        _show(counts)
        self._since = until
        if everything:
            self._all_at = now

    async def _tenants(self, after: UUID) -> list[UUID]:
        async with self._context.pool.acquire() as conn:
            return await store.tenants_enrolled(conn, after, TENANTS)

    async def _count(self, tenants: Sequence[UUID], counts: store.Census) -> store.Census:
        async with transaction(self._context.pool, tenants) as conn:
            more = await store.census(conn, tenants)
        return counts.joined(more)

    async def _compare(self, tenants: Sequence[UUID], since: datetime, until: datetime) -> None:
        untaken = partial(store.untaken, until=until, limit=ROWS_PER_TENANT)
        unapplied = partial(store.unapplied, until=until, limit=ROWS_PER_TENANT)
        released = partial(store.released, limit=ROWS_PER_TENANT)
        begin, decide_anew = partial(take_up, self._context), partial(reconsider, self._context)
        await self._mend("untaken", untaken, begin, dict.fromkeys(tenants, since))
        await self._mend("unapplied", unapplied, decide_anew, dict.fromkeys(tenants, since))
        await self._mend("released", released, decide_anew, dict.fromkeys(tenants, _FIRST))

    async def _mend(self, kind: str, find: Find, mend: Mend, from_: Mapping[UUID, Any]) -> None:
        """Find and mend; tenants with more than a page again, from where the page ended, unless nothing was mended."""
        before: dict[UUID, list[Record]] = {}
        while from_:
            async with transaction(self._context.pool, from_) as conn:
                rows = await find(conn, from_)
            if rows:
                _log.info("reconciling", kind=kind, enrollments=len(rows))
                RECONCILED.labels(kind).inc(len(rows))
            pages: dict[UUID, list[Record]] = {}
            for row in rows:
                pages.setdefault(row["tenant_id"], []).append(row)
            for tenant_id, page in pages.items():
                await self._mend_one(kind, mend, [(tenant_id, row["enrollment_id"]) for row in page])
            from_ = {
                tenant_id: page[-1]["at"]
                for tenant_id, page in pages.items()
                if len(page) == ROWS_PER_TENANT and page != before.get(tenant_id)
            }
            before = pages

    async def _mend_one(self, kind: str, mend: Mend, keys: Sequence[Key]) -> None:
        """A tenant at fault holds up no other; it is compared again when everything is."""
        try:
            await mend(keys)
        except Exception as error:
            if is_outage(error):
                raise
            _log.exception("cannot reconcile", kind=kind, tenant=keys[0][0])


def _show(counts: store.Census) -> None:
    HELD.set(counts.held)
    IN_FLIGHT.set(counts.in_flight)
    OLDEST_DUE.set(counts.oldest_due_seconds)
    NEEDS_ATTENTION.set(counts.needs_attention)
