"""What sequence-api tells: who was enrolled, and what is wanted of whom."""

from postroad_common.amqp import Delivery, Poison
from postroad_common.contracts import EnrollmentIntentChangedV1, EnrollmentsCreatedV1, SequenceStateChangedV1
from postroad_scheduler.context import Context
from postroad_scheduler.reconsidering import reconsider
from postroad_scheduler.sequences import on_sequence_changed
from postroad_scheduler.taking_up import take_up


class EnrollmentsConsumer:
    """Handles the queue scheduler.enrollments."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def __call__(self, delivery: Delivery) -> None:
        """The message says whom to look at; the rows say what is wanted."""
        match delivery.message:
            case EnrollmentsCreatedV1() as message:
                await take_up(self._context, [(message.tenant_id, item.enrollment_id) for item in message.items])
            case EnrollmentIntentChangedV1() as message:
                await reconsider(self._context, [(message.tenant_id, id_) for id_ in message.items])
            case SequenceStateChangedV1() as message:
                await on_sequence_changed(self._context, message.tenant_id, message.sequence_id)
            case other:
                raise Poison(f"{other.type} is not for this queue")
