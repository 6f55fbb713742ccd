"""What the senders answer."""

from postroad_common.amqp import Delivery, Poison
from postroad_common.contracts import StepsSettledV1
from postroad_scheduler.grouping import Grouping


class SettledConsumer:
    """Handles the queue scheduler.settled; messages that wait are settled together."""

    def __init__(self, grouping: Grouping[StepsSettledV1]) -> None:
        self._grouping = grouping

    async def __call__(self, delivery: Delivery) -> None:
        """Return when what follows is committed."""
        if not isinstance(delivery.message, StepsSettledV1):
            raise Poison(f"{delivery.message.type} is not for this queue")
        await self._grouping.add(delivery.message, size=len(delivery.message.items))
