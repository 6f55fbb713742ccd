"""The API as a process over real servers, one for all tests; each test has tenants of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import aio_pika
import asyncpg
import pytest
import pytest_asyncio

from postroad_common.db import create_pool
from postroad_stack.databases import Database
from postroad_stack.listening import listening_port
from postroad_stack.process import Process
from postroad_stack.pytest_plugin import own_database
from postroad_stack.servers import Stack
from postroad_stack.vhosts import VhostSupply
from tests.http import http_client

from .house import (
    SECOND_ORIGIN,
    SECOND_RATE_LIMIT,
    Api,
    CreateTenant,
    Listener,
    Tenant,
    new_tenant,
    running_api,
    start,
)


@pytest.fixture(scope="session")
def api_database(stack: Stack, template_database: Database) -> Iterator[Database]:
    with own_database(stack, template_database) as database:
        yield database


@pytest.fixture(scope="session")
def api_vhost(vhost_supply: VhostSupply) -> str:
    return asyncio.run(vhost_supply.take())


@pytest.fixture(scope="session")
def api_process(
    api_database: Database, api_vhost: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Process, str]]:
    """Jobs of several chunks are given back and claimed again."""
    settings = {"POSTROAD_SEQUENCE_API_JOB_SLICE_SECONDS": "0.05"}
    with running_api(api_database, api_vhost, tmp_path_factory.mktemp("api") / "log", **settings) as running:
        yield running


@pytest_asyncio.fixture
async def api(api_process: tuple[Process, str], api_vhost: str) -> AsyncIterator[Api]:
    process, url = api_process
    async with http_client(base_url=url) as http:
        yield Api(process, http, api_vhost)


@pytest.fixture(scope="session")
def second_process(
    api_database: Database, api_vhost: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Process, str]]:
    settings = {
        "POSTROAD_SEQUENCE_API_RATE_LIMIT_PER_MINUTE": str(SECOND_RATE_LIMIT),
        "POSTROAD_SEQUENCE_API_CORS_ORIGINS": json.dumps([SECOND_ORIGIN]),
    }
    process = start(api_database, api_vhost, tmp_path_factory.mktemp("second-api") / "log", **settings)
    try:
        yield process, f"http://127.0.0.1:{asyncio.run(listening_port(process))}"
    finally:
        asyncio.run(process.kill())


@pytest_asyncio.fixture
async def second_api(second_process: tuple[Process, str], api_vhost: str) -> AsyncIterator[Api]:
    """Another process on the same database, with a low limit and an origin that may call it."""
    process, url = second_process
    async with http_client(base_url=url) as http:
        yield Api(process, http, api_vhost)


@pytest_asyncio.fixture
async def api_pool(api_database: Database) -> AsyncIterator[asyncpg.Pool]:
    """Connections of the API's own role."""
    pool = await create_pool(api_database.dsn("postroad_sequence_api"), application_name="test", max_size=2)
    yield pool
    await pool.close()


@pytest_asyncio.fixture
async def admin(api_database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(api_database.admin_dsn)
    yield connection
    await connection.close()


@pytest.fixture
def create_tenant(api: Api, admin: asyncpg.Connection) -> CreateTenant:
    async def create(name: str = "Acme") -> Tenant:
        return await new_tenant(api, admin, name)

    return create


@pytest_asyncio.fixture
async def tenant(api: Api, admin: asyncpg.Connection) -> Tenant:
    return await new_tenant(api, admin)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_tenant(
    api_process: tuple[Process, str], api_vhost: str, api_database: Database
) -> AsyncIterator[Tenant]:
    """A tenant that the tests of a module share, on the module's loop: for those that change nothing of it."""
    process, url = api_process
    connection = await asyncpg.connect(api_database.admin_dsn)
    async with http_client(base_url=url) as http:
        yield await new_tenant(Api(process, http, api_vhost), connection)
    await connection.close()


@pytest_asyncio.fixture
async def outbox(tenant: Tenant) -> AsyncIterator[Listener]:
    """What the tenant's outbox tells the other services from now on."""
    connection = await aio_pika.connect(tenant.api.amqp_url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind("postroad", "#")
        listener = Listener(str(tenant.tenant_id))
        await queue.consume(listener.take, no_ack=True)
        yield listener
