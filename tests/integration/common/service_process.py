"""A small service: takes messages from tracker.hits, each for as long as POSTROAD_TEST_SECONDS says, and logs them."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from aiohttp import web

from postroad_common.amqp import Delivery
from postroad_common.amqp.topology import TRACKER_HITS
from postroad_common.lifecycle import Service, run
from postroad_common.problems import Problem
from postroad_common.settings import CommonSettings
from postroad_common.telemetry import span

_log = structlog.get_logger()
SECONDS = float(os.environ.get("POSTROAD_TEST_SECONDS", "0"))


async def handle(delivery: Delivery) -> None:
    _log.info("begun", attempt=delivery.attempt)
    await asyncio.sleep(SECONDS)
    _log.info("handled")


async def hello(_request: web.Request) -> web.Response:
    with span("greet"):
        return web.Response(text="hello")


async def slow(_request: web.Request) -> web.Response:
    _log.info("asked")
    await asyncio.sleep(SECONDS)
    return web.Response(text="done")


async def refuse(_request: web.Request) -> web.Response:
    raise Problem(409, "in_use", "It is in use", field="name")


async def fail(_request: web.Request) -> web.Response:
    raise RuntimeError("not for the client to see")


async def crash() -> None:
    if "POSTROAD_TEST_CRASH" in os.environ:
        raise RuntimeError("planted")


@asynccontextmanager
async def build(service: Service[CommonSettings]) -> AsyncIterator[None]:
    service.app.router.add_get("/hello", hello)
    service.app.router.add_get("/slow", slow)
    service.app.router.add_get("/refuse", refuse)
    service.app.router.add_get("/fail", fail)
    service.consume(TRACKER_HITS, handle, prefetch=5, concurrency=2)
    service.repeat(crash, timedelta(seconds=1), "crash")
    yield
    _log.info("cleaned up", database=await service.pool.fetchval("SELECT 1"), broker=service.broker.connected)


if __name__ == "__main__":
    run("example", CommonSettings, build)
