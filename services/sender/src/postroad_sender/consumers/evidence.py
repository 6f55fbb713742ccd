"""`messages.delivered.v1`: an event that proves what became of a message."""

from typing import cast

from asyncpg import Pool

from postroad_common.amqp import Delivery
from postroad_common.contracts import MessagesDeliveredV1
from postroad_sender.evidence import accept_by_evidence


class EvidenceConsumer:
    """Settles unknown messages by what their provider tells."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __call__(self, delivery: Delivery) -> None:
        """Handle one batch of evidence."""
        await accept_by_evidence(self._pool, cast("MessagesDeliveredV1", delivery.message))
