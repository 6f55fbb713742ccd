"""`steps.due.v1`: send."""

from typing import cast

from postroad_common.amqp import Delivery
from postroad_common.contracts import StepsDueV1
from postroad_sender.sending import Sending

if __debug__:
    from postroad_common.faults import reach


class DueConsumer:
    """Carries due steps out; the delivery is acked when each item is settled and that is published."""

    def __init__(self, sending: Sending) -> None:
        self._sending = sending

    async def __call__(self, delivery: Delivery) -> None:
        """Handle one batch."""
        if __debug__:
            reach("sender.received")
        await self._sending.carry_out(cast("StepsDueV1", delivery.message))
        if __debug__:
            reach("sender.settled_published")
