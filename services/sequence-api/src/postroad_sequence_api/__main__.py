"""postroad-sequence-api: the process."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final, NoReturn

from postroad_common.lifecycle import Service, run
from postroad_common.sealing import KeyRing
from postroad_sequence_api.app import add_routes
from postroad_sequence_api.context import Context
from postroad_sequence_api.http import MAX_BODY_BYTES
from postroad_sequence_api.idempotency import forget_old
from postroad_sequence_api.jobs.kinds import KINDS
from postroad_sequence_api.jobs.runner import POLL, Runner
from postroad_sequence_api.jobs.sweep import PERIOD, Sweeper
from postroad_sequence_api.rate_limits import RateLimits
from postroad_sequence_api.settings import SequenceApiSettings

_EVERY_MINUTE: Final = timedelta(minutes=1)


@asynccontextmanager
async def build(service: Service[SequenceApiSettings]) -> AsyncIterator[None]:
    """The API, the relay of its outbox, and who does the jobs."""
    relay = service.relay("sequence")
    wakes = [asyncio.Event() for _ in range(service.settings.job_workers)]

    def wake_jobs() -> None:
        for wake in wakes:
            wake.set()

    context = Context(
        settings=service.settings,
        pool=service.pool,
        broker=service.broker,
        keyring=KeyRing.parse(service.settings.secret_keys.get_secret_value()),
        wake_relay=relay.wake,
        wake_jobs=wake_jobs,
        stopping=service.stopping,
        limits=RateLimits(service.settings.rate_limit_per_minute, time.monotonic),
    )
    add_routes(service.app, context)

    async def write_used_keys() -> bool:
        return await context.used_keys.write(context.pool)

    async def forget_old_keys() -> bool:
        return await forget_old(context.pool)

    service.repeat(write_used_keys, _EVERY_MINUTE, "used keys")
    service.repeat(forget_old_keys, _EVERY_MINUTE, "old idempotency keys")
    for number, wake in enumerate(wakes, 1):
        service.repeat(Runner(context, KINDS).run_some, POLL, f"jobs {number}", wake=wake)
    if wakes:
        service.repeat(Sweeper(context).sweep_some, PERIOD, "sweep jobs")
    yield


def main() -> NoReturn:
    """Run until told to stop."""
    run("sequence-api", SequenceApiSettings, build, max_body_bytes=MAX_BODY_BYTES)


if __name__ == "__main__":
    main()
