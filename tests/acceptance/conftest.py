"""All services as processes over real servers, for stories and proofs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from postroad_common.migrations import migrate
from postroad_stack import Stack
from postroad_stack.databases import Database, create_template, drop
from postroad_stack.pytest_plugin import ROLE_PASSWORD
from postroad_stack.services import Services, running_services
from postroad_stack.smtp_server import SmtpServer, running_smtp_server
from postroad_stack.vhosts import VhostSupply
from tests.acceptance.world import QUICK

Crew = tuple[Services, SmtpServer, str]


@contextlib.asynccontextmanager
async def migrated_database(server_dsn: str) -> AsyncIterator[Database]:
    """A migrated database of one's own."""
    database = await create_template(server_dsn, migrate, role_password=ROLE_PASSWORD)
    try:
        yield database
    finally:
        await drop(server_dsn, database)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def acceptance_services(running_crew: Crew) -> Crew:
    """The run's services, whole again whatever earlier modules have done to them."""
    services, smtp, _ = running_crew
    await smtp.set_behaviour({})
    await services.replace_ended()
    return running_crew


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def running_crew(
    stack: Stack, vhost_supply: VhostSupply, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Crew]:
    """Two replicas each of scheduler and sender, one API and one tracker; and the admin's address of their database."""
    async with (
        migrated_database(stack.postgres.dsn) as database,
        running_smtp_server(store=True) as smtp,
        running_services(
            database=database,
            amqp_url=await vhost_supply.take(),
            settings=QUICK,
            replicas={"scheduler": 2, "sender": 2},
            log_dir=tmp_path_factory.mktemp("services"),
        ) as services,
    ):
        yield services, smtp, database.admin_dsn
