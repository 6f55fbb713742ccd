"""After a restore: steps that may have been sent in the lost life of the database are asked for, to be named unknown.

They take the way of every step, so a crash here is a crash there: the senders write that the step may have been sent,
the answer leads to the next step, and that one is recalled too if it was due before the database was lost.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from postroad_common.amqp import Broker
from postroad_common.db import transaction
from postroad_scheduler.context import Context
from postroad_scheduler.metrics import CLAIMED
from postroad_scheduler.publishing import publish
from postroad_scheduler.store import due as store
from postroad_scheduler.store import reconcile

TENANTS: Final = 50
ROWS_PER_TENANT: Final = 200
_FIRST: Final = UUID(int=0)


class Recall:
    """Goes over the tenants while the operator reconciles a restored database."""

    def __init__(self, context: Context, broker: Broker, *, lease: timedelta) -> None:
        self._context = context
        self._broker = broker
        self._lease = lease

    async def __call__(self) -> bool:
        """One round over all tenants; true when there may be more at once."""
        async with self._context.pool.acquire() as conn:
            recalling = await store.recalling(conn)
        if not recalling or not self._broker.connected:
            return False
        last, more = _FIRST, False
        while tenants := await self._tenants(last):
            async with transaction(self._context.pool, tenants) as conn:
                claimed = await store.recall(conn, tenants, per_tenant=ROWS_PER_TENANT, lease=self._lease)
            if claimed:
                CLAIMED.labels("recalled").inc(len(claimed))
                await publish(self._context, self._broker, claimed)
                more = True
            last = tenants[-1]
        return more

    async def _tenants(self, after: UUID) -> list[UUID]:
        async with self._context.pool.acquire() as conn:
            return await reconcile.tenants_enrolled(conn, after, TENANTS)
