"""postroad-sequence-api: the process."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final, NoReturn

from postroad_common.amqp.topology import SEQUENCE_API_WEBHOOKS
from postroad_common.lifecycle import Service, run
from postroad_common.sealing import KeyRing
from postroad_sequence_api.app import add_routes
from postroad_sequence_api.context import Context
from postroad_sequence_api.http import MAX_BODY_BYTES, REQUEST_LINE_BYTES
from postroad_sequence_api.idempotency import forget_old as forget_old_keys
from postroad_sequence_api.jobs.kinds import KINDS
from postroad_sequence_api.jobs.runner import POLL, Runner
from postroad_sequence_api.jobs.sweep import PERIOD, Sweeper
from postroad_sequence_api.rate_limits import RateLimits
from postroad_sequence_api.services.attributes import fill_indexes
from postroad_sequence_api.services.installation import EVERY, Guard
from postroad_sequence_api.settings import SequenceApiSettings
from postroad_sequence_api.webhooks.delivering import Deliveries, Terms, forget_old_deliveries
from postroad_sequence_api.webhooks.destinations import Reach, Resolver
from postroad_sequence_api.webhooks.posting import Poster
from postroad_sequence_api.webhooks.recording import Recorder

WEBHOOKS_PERIOD: Final = timedelta(seconds=1)
"""How often due deliveries are looked for; at once when something was recorded or has ended."""
WEBHOOK_LEASE_MARGIN: Final = timedelta(seconds=45)
"""From the end of a post's time to the end of its lease: to settle, also across a failover of the database."""

_ASKED_NAMES: Final = 16
"""Names that requests (registrations, tests) have looked up at once: those of deliveries do not wait for them."""
_THREADS_PER_POST: Final = 2
"""A look-up may outlast its post: it keeps its thread until the system gives it up."""
_EVERY_SECOND: Final = timedelta(seconds=1)
_EVERY_MINUTE: Final = timedelta(minutes=1)


@asynccontextmanager
async def build(service: Service[SequenceApiSettings]) -> AsyncIterator[None]:
    """The API, the relay of its outbox, who does the jobs, and the webhooks."""
    settings = service.settings
    service.request_line_bytes = REQUEST_LINE_BYTES
    keyring = KeyRing.parse(settings.secret_keys.get_secret_value())
    guard = Guard(service.pool, timedelta(seconds=settings.failover_seconds))
    await guard.begin()
    service.repeat(guard.look, EVERY, "watch installation")
    relay = service.relay("sequence")
    wakes = [asyncio.Event() for _ in range(settings.job_workers)]

    def wake_jobs() -> None:
        for wake in wakes:
            wake.set()

    async with (
        _poster(settings, _ASKED_NAMES) as poster,
        _poster(settings, _THREADS_PER_POST * max(1, settings.webhook_workers)) as posting,
        Deliveries(service.pool, keyring, posting, _terms(settings)) as deliveries,
    ):
        context = Context(
            settings=settings,
            pool=service.pool,
            broker=service.broker,
            keyring=keyring,
            poster=poster,
            wake_relay=relay.wake,
            wake_jobs=wake_jobs,
            stopping=service.stopping,
            limits=RateLimits(settings.rate_limit_per_minute, time.monotonic),
        )
        add_routes(service.app, context)
        service.repeat(partial(context.used_keys.write, context.pool), _EVERY_MINUTE, "used keys")
        service.repeat(partial(forget_old_keys, context.pool), _EVERY_MINUTE, "old idempotency keys")
        service.repeat(partial(fill_indexes, context.pool), _EVERY_SECOND, "indexes of attributes")
        _do_jobs(service, context, wakes)
        _send_webhooks(service, deliveries)
        yield


def _do_jobs(service: Service[SequenceApiSettings], context: Context, wakes: Sequence[asyncio.Event]) -> None:
    for number, wake in enumerate(wakes, 1):
        service.repeat(Runner(context, KINDS).run_some, POLL, f"jobs {number}", wake=wake)
    if wakes:
        service.repeat(Sweeper(context).sweep_some, PERIOD, "sweep jobs")


def _send_webhooks(service: Service[SequenceApiSettings], deliveries: Deliveries) -> None:
    settings = service.settings
    recorder = Recorder(
        service.pool,
        remember=timedelta(seconds=settings.webhook_refresh_seconds),
        recorded=deliveries.woken.set,
    )
    service.consume(SEQUENCE_API_WEBHOOKS, recorder, prefetch=20, concurrency=2)
    if settings.webhook_workers:
        service.repeat(deliveries, WEBHOOKS_PERIOD, "webhooks", wake=deliveries.woken)
    keep = timedelta(days=settings.webhook_keep_days)
    service.repeat(partial(forget_old_deliveries, service.pool, keep=keep), _EVERY_MINUTE, "old webhooks")


def _poster(settings: SequenceApiSettings, names_at_once: int) -> Poster:
    return Poster(
        Reach.parse(settings.webhook_trusted_networks),
        Resolver(names_at_once),
        timeout_seconds=settings.webhook_timeout_seconds,
    )


def _terms(settings: SequenceApiSettings) -> Terms:
    return Terms(
        workers=settings.webhook_workers,
        per_subscription=settings.webhook_concurrency,
        lease=timedelta(seconds=settings.webhook_timeout_seconds) + WEBHOOK_LEASE_MARGIN,
        disable_after=timedelta(hours=settings.webhook_disable_hours),
    )


def main() -> NoReturn:
    """Run until told to stop."""
    run("sequence-api", SequenceApiSettings, build, max_body_bytes=MAX_BODY_BYTES)


if __name__ == "__main__":
    main()
