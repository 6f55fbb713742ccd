"""An office with an SMTP server and the scheduler's ends of the queues."""

import json
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from postroad_stack.databases import Database
from postroad_stack.smtp_server import SmtpServer, running_smtp_server
from tests.integration.sender.office import Office, Post, open_post


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def smtp_process() -> AsyncIterator[SmtpServer]:
    """The module's SMTP server."""
    async with running_smtp_server(store=True) as server:
        yield server


@pytest.fixture
async def smtp(smtp_process: SmtpServer) -> SmtpServer:
    """A recording SMTP server that keeps whole messages, as if it had just been started."""
    return await smtp_process.afresh()


@pytest.fixture
async def office(module_database: Database, empty_vhost: str, smtp: SmtpServer) -> AsyncIterator[Office]:
    """A furnished office whose sender uses the SMTP server."""
    admin = await asyncpg.connect(module_database.admin_dsn)
    await admin.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    office = Office(module_database, admin, empty_vhost)
    await office.furnish(smtp.port)
    yield office
    await admin.close()


@pytest.fixture
async def post(office: Office) -> AsyncIterator[Post]:
    """The scheduler's ends of the queues."""
    async with open_post(office) as opened:
        yield opened
