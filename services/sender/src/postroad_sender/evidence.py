"""What a provider's events prove, and people find out, about messages whose outcome is unknown."""

from datetime import timedelta

from asyncpg import Pool

from postroad_common.amqp import Retry
from postroad_common.contracts import MessagesDeliveredV1, MessagesSettledByHandV1
from postroad_common.contracts import SettledByHand as Settlement
from postroad_common.db import transaction
from postroad_common.personal import without_addresses
from postroad_engine.reasons import SettledByEvidence, SettledByHand
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


async def settle_by_hand(pool: Pool, message: MessagesSettledByHandV1) -> None:
    """unknown -> accepted or cancelled, as somebody says. What is known by now stays, and nothing is sent again."""
    rows = as_json(
        {
            "message_id": item.message_id,
            "state": "accepted" if item.outcome == "sent" else "cancelled",
            "reason": as_values([_reason(item)]),
        }
        for item in {item.message_id: item for item in message.items}.values()
    )
    async with transaction(pool, message.tenant_id) as conn:
        await conn.execute(LEDGER.settle_by_hand, message.tenant_id, rows)


def _reason(item: Settlement) -> SettledByHand:
    key = None if item.api_key_id is None else str(item.api_key_id)
    return SettledByHand(item.outcome == "sent", without_addresses(item.because), key)
