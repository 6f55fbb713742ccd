"""Claimed rows go to the senders: published with confirms, then marked as in flight."""

from collections.abc import Sequence

from postroad_common.amqp import Broker
from postroad_common.db import transaction
from postroad_common.faults import reach
from postroad_scheduler.context import Context
from postroad_scheduler.emission import messages
from postroad_scheduler.metrics import PUBLISHED, UNMARKED
from postroad_scheduler.store import due as store
from postroad_scheduler.values import Claimed


async def publish(context: Context, broker: Broker, claimed: Sequence[Claimed]) -> None:
    """Give claimed rows to the senders. Raises PublishError; what was claimed comes again then."""
    await broker.publish_all(messages(claimed))
    if __debug__:
        reach("scheduler.published")
    PUBLISHED.inc(len(claimed))
    async with transaction(context.pool, {row.tenant_id for row in claimed}) as conn:
        marked = await store.mark_in_flight(conn, claimed, context.rules.time_to_answer)
    if __debug__:
        reach("scheduler.marked")
    UNMARKED.inc(len(claimed) - marked)
