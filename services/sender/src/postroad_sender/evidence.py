"""What a provider's events prove about messages whose outcome is unknown."""

from datetime import timedelta

from asyncpg import Pool

from postroad_common.amqp import Retry
from postroad_common.contracts import MessagesDeliveredV1
from postroad_common.db import transaction
from postroad_engine.reasons import SettledByEvidence
from postroad_sender.ledger import LEDGER, as_json, as_values
from postroad_sender.metrics import EVIDENCE

LOOK_AGAIN_AFTER = timedelta(seconds=10)


async def accept_by_evidence(pool: Pool, message: MessagesDeliveredV1) -> None:
    """unknown -> accepted for each message that an event tells of.

    Raises Retry while one is still transmitting: its process may have died, and then it will be unknown.
    """
    proofs = {
        evidence.message_id: as_values([SettledByEvidence(evidence.kind, evidence.occurred_at)])
        for evidence in reversed(message.items)
    }
    rows = as_json({"message_id": message_id, "reason": reason} for message_id, reason in proofs.items())
    async with transaction(pool, message.tenant_id) as conn:
        early: int = await conn.fetchval(LEDGER.still_transmitting, message.tenant_id, list(proofs))
        done = await conn.execute(LEDGER.accept_by_evidence, message.tenant_id, rows)
    EVIDENCE.inc(int(done.rpartition(" ")[2]))
    if early:
        raise Retry("the message is still being transmitted", LOOK_AGAIN_AFTER)
