"""The tick: claim what is due, publish it, mark it in flight; decide over what may not simply run."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from postroad_common.amqp import Broker
from postroad_common.db import transaction
from postroad_common.faults import reach
from postroad_scheduler.context import Context
from postroad_scheduler.metrics import CLAIMED, LAG
from postroad_scheduler.publishing import publish
from postroad_scheduler.reconsidering import look
from postroad_scheduler.store import due as store
from postroad_scheduler.values import Claimed

TENANTS_PER_CLAIM: Final = 50
LEAST_PER_TENANT: Final = 10
_FIRST: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is claimed at once, and for how long."""

    claim_size: int
    claim_per_tenant: int
    in_flight_per_tenant: int
    lease: timedelta


class Tick:
    """Serves tenants in turn, starting after the one served last."""

    def __init__(self, context: Context, broker: Broker, pace: Pace) -> None:
        self._context = context
        self._broker = broker
        self._pace = pace
        self._last = _FIRST
        self._refused = False

    async def __call__(self) -> bool:
        """One round; true when there may be more at once. Raises PublishError; what was claimed comes again then."""
        if not self._broker.connected:
            return False
        tenants = await self._tenants()
        if not tenants:
            return False
        if self._refused:  # one step finds out whether the broker takes any, and the others need no lease
            tenants = tenants[:1]
        terms = self._terms(len(tenants))
        claimed = await self._claim(tenants, terms)
        if to_emit := [row for row in claimed if row.emit]:
            self._refused = True
            await publish(self._context, self._broker, to_emit)
            self._refused = False
        if to_look_at := [row for row in claimed if not row.emit]:
            await look(self._context, to_look_at)
        return _is_full(claimed, terms)

    async def _tenants(self) -> list[UUID]:
        """The next tenants with something to do: those after the last, then from the first on."""
        async with self._context.pool.acquire() as conn:
            tenants = await store.tenants_to_wake(conn, self._last, TENANTS_PER_CLAIM)
            if len(tenants) < TENANTS_PER_CLAIM and self._last != _FIRST:
                again = await store.tenants_to_wake(conn, _FIRST, TENANTS_PER_CLAIM - len(tenants))
                tenants += [tenant for tenant in again if tenant <= self._last]
        self._last = tenants[-1] if tenants else _FIRST
        return tenants

    def _terms(self, tenants: int) -> store.Terms:
        share = max(self._pace.claim_size // tenants, LEAST_PER_TENANT)
        return store.Terms(
            per_tenant=1 if self._refused else min(share, self._pace.claim_per_tenant),
            in_flight=self._pace.in_flight_per_tenant,
            lease=self._pace.lease,
            max_emissions=self._context.rules.max_emissions,
        )

    async def _claim(self, tenants: Sequence[UUID], terms: store.Terms) -> list[Claimed]:
        async with transaction(self._context.pool, tenants) as conn:
            claimed = await store.claim(conn, tenants, terms)
        if __debug__ and any(row.emit for row in claimed):
            reach("scheduler.claimed")
        _count(claimed)
        return claimed


def _is_full(claimed: Sequence[Claimed], terms: store.Terms) -> bool:
    per_tenant = Counter(row.tenant_id for row in claimed)
    return any(count >= terms.per_tenant for count in per_tenant.values())


def _count(claimed: Sequence[Claimed]) -> None:
    if not claimed:
        return
    LAG.observe(max(row.lag for row in claimed).total_seconds())
    for kind, times in Counter(map(_kind, claimed)).items():
        CLAIMED.labels(kind).inc(times)


def _kind(row: Claimed) -> str:
    if not row.emit:
        return "look"
    return "fresh" if row.emissions == 1 else "again"
