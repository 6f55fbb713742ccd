"""`messages.delivered.v1`, `messages.settled_by_hand.v1`: what became of messages whose outcome is unknown."""

from asyncpg import Pool

from postroad_common.amqp import Delivery, Poison
from postroad_common.contracts import MessagesDeliveredV1, MessagesSettledByHandV1
from postroad_sender.evidence import accept_by_evidence, settle_by_hand


class EvidenceConsumer:
    """Settles unknown messages by what their provider tells, or somebody who has looked."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __call__(self, delivery: Delivery) -> None:
        """Handle one batch."""
        match delivery.message:
            case MessagesDeliveredV1() as message:
                await accept_by_evidence(self._pool, message)
            case MessagesSettledByHandV1() as message:
                await settle_by_hand(self._pool, message)
            case other:
                raise Poison(f"a {other.type} does not belong here")
