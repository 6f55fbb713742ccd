"""The life of a service process: settings, servers, work, and an orderly end."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta
from typing import Any, Final, Generic, NoReturn, TypeAlias, TypeVar

import asyncpg
import structlog
import uvloop
from aiohttp import web

from postroad_common import faults, telemetry
from postroad_common.amqp import Broker, Consumer, Queue
from postroad_common.amqp.handling import Handler
from postroad_common.errors import SettingsError, StartError
from postroad_common.logging import setup_logging
from postroad_common.loops import forever, is_outage
from postroad_common.metrics import POOL_SIZE, POOLED
from postroad_common.outbox import LOOK, Relay, Schema
from postroad_common.settings import CommonSettings, load_settings
from postroad_common.starting import close_pool, database_check, wait_for_broker, wait_for_database
from postroad_common.web_app import MAX_BODY_BYTES, Readiness, make_app, server_log

__all__ = ["Service", "forever", "is_outage", "run"]

S = TypeVar("S", bound=CommonSettings)

AFTER_DRAIN_SECONDS: Final = 8.0
"""What a process may still take after drain_seconds, to close connections and send the last spans."""

_log = structlog.get_logger()


class Service(Generic[S]):
    """What a running service has in hand. Its build function adds routes, consumers and loops to it."""

    pool: asyncpg.Pool
    broker: Broker

    def __init__(self, name: str, settings: S, *, max_body_bytes: int, trusts_callers_trace: bool) -> None:
        self.name = name
        self.settings = settings
        self.readiness = Readiness()
        self.app = make_app(self.readiness, max_body_bytes=max_body_bytes, trusts_callers_trace=trusts_callers_trace)
        self.stopping = asyncio.Event()
        self.crashed = False
        self.decompress_bodies = True
        """Whether request bodies arrive decompressed; build may choose to get them as they came."""
        self.request_line_bytes = 8190
        """How long a path with its query may be; build may allow for more."""
        self._tasks: list[asyncio.Task[None]] = []
        self._repeating: list[asyncio.Task[None]] = []
        self._consumers: list[Consumer] = []
        self._runners: list[web.AppRunner] = []

    def spawn(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """Run work beside the rest; cancelled at the end. If it raises, the process ends with code 1."""
        self._tasks.append(asyncio.create_task(self._guarded(work, name), name=name))

    def repeat(
        self, step: Callable[[], Awaitable[object]], period: timedelta, name: str, *, wake: asyncio.Event | None = None
    ) -> None:
        """Run step again and again as forever() does; at the end the step in hand is waited for."""

        async def work() -> None:
            await forever(step, period, wake=wake, stopping=self.stopping)

        self._repeating.append(asyncio.create_task(self._guarded(work, name), name=name))

    def consume(self, queue: Queue, handler: Handler, *, prefetch: int, concurrency: int) -> Consumer:
        """Consume a queue; at the end what is in hand is waited for."""
        consumer = Consumer(self.broker, queue, handler, prefetch=prefetch, concurrency=concurrency)
        self._consumers.append(consumer)
        self.spawn(consumer.run, f"consume {queue.name}")
        return consumer

    def relay(self, schema: Schema) -> Relay:
        """Relay an outbox; call its wake() after a commit that wrote to it."""
        relay = Relay(self.pool, self.broker, schema)

        async def work() -> None:
            await relay.run(self.stopping)

        self._repeating.append(asyncio.create_task(self._guarded(work, f"relay {schema}"), name=f"relay {schema}"))
        self.repeat(relay.look, LOOK, f"look at outbox {schema}")
        return relay

    async def drain(self) -> None:
        """End the work: nothing new, what is in hand until drain_seconds are over, then the rest is cancelled."""
        seconds = self.settings.drain_seconds
        await asyncio.gather(
            *(runner.cleanup() for runner in self._runners),
            *(consumer.stop(patience_seconds=seconds) for consumer in self._consumers),
            asyncio.wait(self._repeating, timeout=seconds) if self._repeating else asyncio.sleep(0),
        )
        for task in (*self._tasks, *self._repeating):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._repeating, return_exceptions=True)

    async def listen(self) -> int:
        """Serve the application; the port."""
        runner = web.AppRunner(
            self.app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=self.settings.drain_seconds,
            auto_decompress=self.decompress_bodies,
            max_line_size=self.request_line_bytes,
            logger=server_log(),
        )
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, self.settings.http_host, self.settings.http_port).start()
        port: int = runner.addresses[0][1]
        return port

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        try:
            await work()
        except Exception:  # noqa: BLE001 - logged with its traceback; the process ends
            _log.exception("work crashed: the process ends", work=name)
            self.crashed = True
            self.stopping.set()


Build: TypeAlias = Callable[[Service[S]], AbstractAsyncContextManager[None]]
"""What a service does between its start and its end: up to the yield it adds its work, after it it cleans up."""


def run(
    name: str,
    settings_cls: type[S],
    build: Build[S],
    *,
    max_body_bytes: int = MAX_BODY_BYTES,
    trusts_callers_trace: bool = True,
) -> NoReturn:
    """Run a service until SIGTERM or SIGINT; a second one ends it at once.

    Exits 0 after an orderly end, 1 when something crashed or a server did not answer at start, 2 for bad settings.
    """
    settings = _settings_or_exit(name, settings_cls)
    setup_logging(name, settings.log_level)
    telemetry.setup(name, settings)

    async def main() -> int:
        service = Service(name, settings, max_body_bytes=max_body_bytes, trusts_callers_trace=trusts_callers_trace)
        return await _Life(service, build).live()

    sys.exit(uvloop.run(main()))


def _settings_or_exit(name: str, settings_cls: type[S]) -> S:
    try:
        settings = load_settings(settings_cls)
        if __debug__:
            faults.arm(settings.fault_kill)
    except (SettingsError, ValueError) as error:
        sys.stderr.write(f"postroad-{name}: {error}\n")
        sys.exit(2)
    return settings


def _spare_the_collector() -> None:
    """What is there at the start stays; and what a batch holds is freed without being looked at first."""
    gc.freeze()
    gc.set_threshold(10_000)


def _show_pool(pool: asyncpg.Pool, limit: int) -> None:
    POOL_SIZE.set(limit)
    POOLED.labels("busy").set_function(lambda: pool.get_size() - pool.get_idle_size())
    POOLED.labels("idle").set_function(pool.get_idle_size)


class _Life(Generic[S]):
    """From start to end, with the signals in between."""

    def __init__(self, service: Service[S], build: Build[S]) -> None:
        self._service = service
        self._build = build
        self._starting: asyncio.Task[Any] | None = asyncio.current_task()

    async def live(self) -> int:
        """The exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        try:
            async with AsyncExitStack() as stack:
                await self._start(stack)
                await self._service.stopping.wait()
                _log.info("draining")
        except StartError as error:
            _log.error("cannot start", error=str(error))
            return 1
        except asyncio.CancelledError:
            _log.info("stopped while starting")
            return 0
        _log.info("stopped")
        return 1 if self._service.crashed else 0

    async def _start(self, stack: AsyncExitStack) -> None:
        service, settings = self._service, self._service.settings
        stack.callback(telemetry.shutdown)
        service.pool = await wait_for_database(settings, service.name)
        stack.push_async_callback(close_pool, service.pool)
        _show_pool(service.pool, settings.database_connections)
        service.broker = await wait_for_broker(settings, service.name)
        stack.push_async_callback(service.broker.close)
        service.readiness.add("database", database_check(service.pool))
        service.readiness.add("broker", self._broker_check)
        service.readiness.add("process", self._process_check)
        await stack.enter_async_context(self._build(service))
        stack.push_async_callback(service.drain)
        port = await service.listen()
        self._starting = None
        _spare_the_collector()
        _log.info("listening", host=settings.http_host, port=port)

    async def _broker_check(self) -> str | None:
        if self._service.broker.connected:
            return None
        return "no connection to the broker: check that RabbitMQ runs and POSTROAD_AMQP_URL reaches it"

    async def _process_check(self) -> str | None:
        return "the process is draining and ends soon" if self._service.stopping.is_set() else None

    def _on_signal(self) -> None:
        if self._service.stopping.is_set():
            os._exit(1)  # the second signal: at once, as asked
        self._service.stopping.set()
        loop = asyncio.get_running_loop()
        loop.call_later(self._service.settings.drain_seconds + AFTER_DRAIN_SECONDS, os._exit, 1)
        if self._starting is not None:
            self._starting.cancel()
