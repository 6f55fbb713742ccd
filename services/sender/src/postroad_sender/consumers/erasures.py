"""`contacts.erased.v1`: forget who they were."""

from typing import cast

from asyncpg import Pool

from postroad_common.amqp import Delivery
from postroad_common.contracts import ContactsErasedV1
from postroad_sender.erasure import erase


class ErasureConsumer:
    """Erases contacts in the ledger."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __call__(self, delivery: Delivery) -> None:
        """Handle one batch of contacts."""
        await erase(self._pool, cast("ContactsErasedV1", delivery.message))
