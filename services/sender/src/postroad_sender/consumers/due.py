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
SLOW = 10.0
"""Seconds that the oldest item of a sender has been waiting: then its mail server hardly moves."""


class DueConsumer:
    """Carries due steps out; the delivery is acked when each item is settled and that is published.

    Senders whose mail server hardly moves must not fill the process: together they get half of it, and of what is left
    when it is nearly full, nobody takes more than there is. What finds no room takes the retry ladder. `waited` tells
    for how long the oldest item of a tenant's sender has been waiting, in seconds.
    """

    def __init__(self, sending: Sending, waited: Callable[[UUID, UUID], float], *, prefetch: int) -> None:
        self._sending = sending
        self._waited = waited
        self._prefetch = prefetch
        self._in_hand: Counter[tuple[UUID, UUID]] = Counter()

    async def __call__(self, delivery: Delivery) -> None:
        """Handle one batch."""
        if __debug__:
            reach("sender.received")
        batch = cast("StepsDueV1", delivery.message)
        key = batch.tenant_id, batch.sender_id
        slow = self._waited(*key) > SLOW
        if not self._has_room(key, slow=slow):
            raise Retry("the queue of its sender is long", LATER if slow else SOON)
        self._in_hand[key] += 1
        try:
            await self._sending.carry_out(batch)
        finally:
            self._in_hand[key] -= 1
            self._in_hand += Counter()  # forgets who has none
        if __debug__:
            reach("sender.settled_published")

    def _has_room(self, key: tuple[UUID, UUID], *, slow: bool) -> bool:
        free = self._prefetch - self._in_hand.total()
        if self._in_hand[key] >= free and (slow or free <= self._prefetch // 4):
            return False
        if not slow:
            return True
        with_the_slow = sum(count for other, count in self._in_hand.items() if self._waited(*other) > SLOW)
        return with_the_slow < self._prefetch // 2
