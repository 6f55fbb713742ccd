"""Waiting for the servers when a service starts: bounded, and saying what it waits for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import asyncpg
import structlog

from postroad_common.amqp import Broker, BrokerError, declare_topology
from postroad_common.db import RETRYABLE, check_schema, create_pool
from postroad_common.errors import SchemaTooOldError, StartError
from postroad_common.settings import CommonSettings
from postroad_common.web_app import Check

T = TypeVar("T")

_PAUSE_SECONDS: Final = 0.5
_CLOSE_SECONDS: Final = 3.0
_WHILE_DATABASE_COMES: Final = (*RETRYABLE, asyncpg.PostgresError, asyncpg.InterfaceError, SchemaTooOldError)

_log = structlog.get_logger()


async def wait_for_database(settings: CommonSettings, service: str) -> asyncpg.Pool:
    """A pool on a database of our schema; raises StartError after start_seconds with the last cause."""

    async def connect() -> asyncpg.Pool:
        pool = await create_pool(
            settings.database_url.get_secret_value(),
            application_name=f"postroad-{service}",
            max_size=settings.database_connections,
        )
        try:
            await check_schema(pool)
        except BaseException:
            await close_pool(pool)
            raise
        return pool

    return await _wait(connect, "the database", settings.start_seconds, _WHILE_DATABASE_COMES)


async def wait_for_broker(settings: CommonSettings, service: str) -> Broker:
    """A broker with our topology declared; raises StartError after start_seconds with the last cause."""

    async def connect() -> Broker:
        broker = await Broker.connect(settings.amqp_url.get_secret_value(), name=f"postroad-{service}")
        try:
            await declare_topology(broker)
        except BaseException:
            await broker.close()
            raise
        return broker

    return await _wait(connect, "the broker", settings.start_seconds, (BrokerError,))


async def close_pool(pool: asyncpg.Pool) -> None:
    """Close in order, or not, but soon."""
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await pool.close()
    except (TimeoutError, *RETRYABLE, asyncpg.InterfaceError):
        pool.terminate()


def database_check(pool: asyncpg.Pool) -> Check:
    """A readiness check: the database answers and has our schema."""

    async def check() -> str | None:
        try:
            await check_schema(pool)
        except SchemaTooOldError as error:
            return str(error)
        except (*RETRYABLE, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            return f"the database does not answer ({error}): check that it runs and POSTROAD_DATABASE_URL reaches it"
        return None

    return check


async def _wait(
    connect: Callable[[], Awaitable[T]], what: str, seconds: float, passing: tuple[type[Exception], ...]
) -> T:
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + seconds
    while True:
        try:
            return await connect()
        except passing as error:
            if loop.time() >= give_up_at:
                raise StartError(f"{what} did not become usable in {seconds:g} s: {error}") from error
            _log.warning(f"waiting for {what}", error=str(error))
        await asyncio.sleep(_PAUSE_SECONDS)
