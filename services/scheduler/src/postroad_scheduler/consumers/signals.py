"""What recipients and their mail servers did: some of it ends enrollments."""

from postroad_common.amqp import Delivery, Poison
from postroad_common.contracts import (
    ContactBouncedV1,
    ContactClickedV1,
    ContactComplainedV1,
    ContactOpenedV1,
    ContactRepliedV1,
    ContactUnsubscribedV1,
)
from postroad_engine.reasons import StopKind
from postroad_scheduler.context import Context
from postroad_scheduler.stopping import stop_contacts, stop_enrollments


class SignalsConsumer:
    """Handles the queue scheduler.signals."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def __call__(self, delivery: Delivery) -> None:
        """A reply ends its enrollment; the others end all that runs for the contact. Opens and clicks end nothing."""
        match delivery.message:
            case ContactRepliedV1() as message:
                await stop_enrollments(self._context, message.tenant_id, message.items, StopKind.REPLIED)
            case ContactBouncedV1() as message:
                hard = [item for item in message.items if item.bounce_type == "hard"]
                await stop_contacts(self._context, message.tenant_id, hard, StopKind.BOUNCED)
            case ContactComplainedV1() as message:
                await stop_contacts(self._context, message.tenant_id, message.items, StopKind.COMPLAINED)
            case ContactUnsubscribedV1() as message:
                await stop_contacts(self._context, message.tenant_id, message.items, StopKind.UNSUBSCRIBED)
            case ContactOpenedV1() | ContactClickedV1():
                return
            case other:
                raise Poison(f"{other.type} is not for this queue")
