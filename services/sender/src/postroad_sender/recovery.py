"""Judging what expired processes left transmitting: it becomes unknown, and the scheduler hears of it."""

from uuid import UUID

import structlog
from asyncpg import Pool, Record

from postroad_common.amqp import Broker
from postroad_common.contracts import StepSettled, StepsSettledV1
from postroad_common.db import transaction
from postroad_engine.reasons import OutcomeUnknown
from postroad_sender.ledger import LEDGER
from postroad_sender.metrics import ORPHANS

TENANTS_AT_ONCE = 50
ROWS_AT_ONCE = 500

_log = structlog.get_logger()
_REASONS = [OutcomeUnknown("the process that was sending it ended").to_json()]


async def recover(pool: Pool, broker: Broker) -> None:
    """transmitting -> unknown for the messages of expired processes.

    A publish that fails is no loss: the step's deadline passes, it is emitted again, and finds its row settled.
    """
    tenants = [row["tenant_id"] for row in await pool.fetch(LEDGER.tenants_with_orphans, TENANTS_AT_ONCE)]
    if not tenants:
        return
    async with transaction(pool, tenants) as conn:
        rows = await conn.fetch(LEDGER.give_up_orphans, tenants, ROWS_AT_ONCE, _REASONS)
    ORPHANS.inc(len(rows))
    _log.warning("messages of expired processes are unknown now", messages=len(rows), tenants=len(tenants))
    by_tenant: dict[UUID, list[StepSettled]] = {}
    for row in rows:
        by_tenant.setdefault(row["tenant_id"], []).append(_settled(row))
    await broker.publish_all(
        StepsSettledV1(tenant_id=tenant_id, items=tuple(items)) for tenant_id, items in by_tenant.items()
    )


def _settled(row: Record) -> StepSettled:
    return StepSettled(
        enrollment_id=row["enrollment_id"],
        step_key=row["step_key"],
        attempt=row["attempt"],
        outcome="unknown",
        settled_at=row["settled_at"],
        reasons=row["reason"],
    )
