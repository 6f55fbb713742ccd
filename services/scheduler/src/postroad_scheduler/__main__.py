"""The scheduler's process: `postroad-scheduler`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

from postroad_common.amqp import declare_topology
from postroad_common.amqp.depths import COUNT, count_queues
from postroad_common.amqp.topology import SCHEDULER_ENROLLMENTS, SCHEDULER_SETTLED, SCHEDULER_SIGNALS
from postroad_common.hold import watch_hold
from postroad_common.lifecycle import Service, run
from postroad_scheduler.consumers.enrollments import EnrollmentsConsumer
from postroad_scheduler.consumers.settled import SettledConsumer
from postroad_scheduler.consumers.signals import SignalsConsumer
from postroad_scheduler.context import Context
from postroad_scheduler.definitions import Definitions
from postroad_scheduler.deliberation import Rules
from postroad_scheduler.grouping import Grouping
from postroad_scheduler.recalling import Recall
from postroad_scheduler.reconciling import Reconcile
from postroad_scheduler.settings import SchedulerSettings
from postroad_scheduler.settling import settle
from postroad_scheduler.tick import Pace, Tick

SETTLING_GROUPS: Final = 2
"""Transactions of settlements at once: one decides while the other commits."""

_RECALL_EVERY: Final = timedelta(seconds=1)

SETTLED_TOGETHER: Final = 1000
"""Settlements in one transaction, about."""


@asynccontextmanager
async def build(service: Service[SchedulerSettings]) -> AsyncIterator[None]:
    """Consumers and loops of a scheduler."""
    settings = service.settings
    await declare_topology(service.broker)
    watch_hold(service)
    context = Context(service.pool, _rules(settings), Definitions())
    prefetch, concurrency = settings.prefetch, 4
    service.consume(SCHEDULER_ENROLLMENTS, EnrollmentsConsumer(context), prefetch=concurrency, concurrency=concurrency)
    service.consume(SCHEDULER_SIGNALS, SignalsConsumer(context), prefetch=concurrency, concurrency=concurrency)
    settled = SettledConsumer(Grouping(partial(settle, context), groups=SETTLING_GROUPS, size=SETTLED_TOGETHER))
    service.consume(SCHEDULER_SETTLED, settled, prefetch=prefetch, concurrency=prefetch)
    service.repeat(Tick(context, service.broker, _pace(settings)), _span(settings.tick_seconds), "tick")
    recall = Recall(context, service.broker, lease=_span(settings.lease_seconds))
    service.repeat(recall, _RECALL_EVERY, "recall")
    reconcile = Reconcile(
        context,
        after=_span(settings.reconcile_after_seconds),
        all_every=_span(settings.reconcile_all_seconds),
    )
    service.repeat(reconcile, _span(settings.reconcile_seconds), "reconcile")
    service.repeat(partial(count_queues, service.broker), COUNT, "count queues")
    service.relay("schedule")
    yield


def main() -> None:
    """Run until SIGTERM."""
    run("scheduler", SchedulerSettings, build)


def _rules(settings: SchedulerSettings) -> Rules:
    return Rules(settings.policy(), settings.max_emissions, _span(settings.answer_seconds))


def _pace(settings: SchedulerSettings) -> Pace:
    return Pace(
        claim_size=settings.claim_size,
        claim_per_tenant=settings.claim_per_tenant,
        in_flight_per_tenant=settings.in_flight_per_tenant,
        lease=_span(settings.lease_seconds),
    )


def _span(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


if __name__ == "__main__":
    main()
