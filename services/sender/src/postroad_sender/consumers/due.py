"""`steps.due.v1`: send."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import cast
from uuid import UUID

from postroad_common.amqp import Delivery, Retry
from postroad_common.contracts import StepsDueV1
from postroad_sender.sending import Sending

if __debug__:
    from postroad_common.faults import reach

SOON = timedelta(seconds=1)
LATER = timedelta(seconds=10)


class DueConsumer:
    """Carries due steps out; the delivery is acked when each item is settled and that is published.

    A sender whose mail server hardly moves must not fill the process: once three quarters of it are taken, who has a
    quarter gets no more, and the delivery takes the retry ladder. `waited` tells for how long the oldest item of a
    tenant's sender has been waiting, in seconds.
    """

    def __init__(self, sending: Sending, waited: Callable[[UUID, UUID], float], *, prefetch: int) -> None:
        self._sending = sending
        self._waited = waited
        self._share = max(prefetch // 4, 1)
        self._crowded_at = prefetch - self._share
        self._in_hand: Counter[tuple[UUID, UUID]] = Counter()

    async def __call__(self, delivery: Delivery) -> None:
        """Handle one batch."""
        if __debug__:
            reach("sender.received")
        batch = cast("StepsDueV1", delivery.message)
        key = batch.tenant_id, batch.sender_id
        if self._in_hand[key] >= self._share and self._in_hand.total() >= self._crowded_at:
            raise Retry("the queue of its sender is long", LATER if self._waited(*key) > 2 * LATER.seconds else SOON)
        self._in_hand[key] += 1
        try:
            await self._sending.carry_out(batch)
        finally:
            self._in_hand[key] -= 1
            self._in_hand += Counter()  # forgets who has none
        if __debug__:
            reach("sender.settled_published")
