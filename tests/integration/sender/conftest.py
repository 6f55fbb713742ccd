"""An office with an SMTP server and the scheduler's ends of the queues."""

import json
from collections.abc import AsyncIterator

import aio_pika
import asyncpg
import pytest

from postroad_common.amqp import Broker, declare_topology
from postroad_common.amqp.topology import QUEUES
from postroad_stack.databases import Database
from postroad_stack.smtp_server import SmtpServer, running_smtp_server
from tests.integration.sender.office import Office, Post, open_post


@pytest.fixture
async def vhost(module_vhost: str) -> str:
    """The module's vhost with the whole topology, all queues empty."""
    async with await Broker.connect(module_vhost, name="purge") as broker:
        await declare_topology(broker)
    connection = await aio_pika.connect(module_vhost)
    async with connection:
        channel = await connection.channel()
        for queue in QUEUES.values():
            for name, _ in queue.declarations():
                await (await channel.get_queue(name, ensure=False)).purge()
    return module_vhost


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpServer]:
    """A recording SMTP server that keeps whole messages."""
    async with running_smtp_server(store=True) as server:
        yield server


@pytest.fixture
async def office(module_database: Database, vhost: str, smtp: SmtpServer) -> AsyncIterator[Office]:
    """A furnished office whose sender uses the SMTP server."""
    admin = await asyncpg.connect(module_database.admin_dsn)
    await admin.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    office = Office(module_database, admin, vhost)
    await office.furnish(smtp.port)
    yield office
    await admin.close()


@pytest.fixture
async def post(office: Office) -> AsyncIterator[Post]:
    """The scheduler's ends of the queues."""
    async with open_post(office) as opened:
        yield opened
