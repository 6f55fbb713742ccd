"""Database or broker away: people get where they click, providers are asked to come again, and nothing is claimed."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from postroad_common.contracts.tokens import TokenKind
from postroad_common.sealing import KeyRing
from postroad_stack.databases import Database, Migrate, clone, create_template
from postroad_stack.eventually import eventually
from postroad_stack.servers import Stack
from tests.http import http_client

from .conftest import KEYS, Trackers
from .town import Mail, Tenant, Town, Tracker

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
BROWSER = {"Accept": "text/html"}
URL = "https://shop.example/x"


@pytest.fixture(scope="module")
def own_database(private_stack: Stack, migrate: Migrate) -> Database:
    async def make() -> Database:
        template = await create_template(private_stack.postgres.dsn, migrate, role_password="postroad-test")
        return await clone(private_stack.postgres.dsn, template)

    return asyncio.run(make())


@pytest.fixture(scope="module")
def own_tracker(trackers: Trackers, private_stack: Stack, own_database: Database) -> Tracker:
    return trackers.start(own_database.dsn("postroad_tracker"), private_stack.rabbitmq.url)


@pytest_asyncio.fixture
async def seaside(own_database: Database, own_tracker: Tracker) -> AsyncIterator[tuple[Town, Tenant, Mail]]:
    """A town, its tenant and a mail, made while all is well."""
    admin = await asyncpg.connect(own_database.admin_dsn)
    async with http_client(base_url=own_tracker.url, timeout=30) as http:
        town = Town(admin, http, KeyRing.parse(KEYS))
        mill = await town.tenant()
        yield town, mill, await town.mail(mill)
    if not admin.is_closed():
        await admin.close()


async def types(database: Database, tenant_id: UUID) -> list[str]:
    """The types of the tenant's events, by a connection of its own."""
    admin = await asyncpg.connect(database.admin_dsn)
    rows = await admin.fetch("SELECT type FROM tracking.events WHERE tenant_id = $1 ORDER BY type", tenant_id)
    await admin.close()
    return [row["type"] for row in rows]


async def metric(town: Town, name: str) -> float:
    text = (await town.http.get("/metrics")).text
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


async def hit(town: Town, mail: Mail) -> float:
    """An open and a click; returns how long the slower of them took."""
    started = time.monotonic()
    opened, clicked = await asyncio.gather(
        town.http.get(f"/o/{town.token(TokenKind.OPEN, mail)}"),
        town.http.get(f"/c/{town.token(TokenKind.CLICK, mail, url=URL)}"),
    )
    assert (opened.status_code, clicked.status_code, clicked.headers["Location"]) == (200, 302, URL)
    return time.monotonic() - started


async def check_refusals(town: Town, mill: Tenant, mail: Mail) -> None:
    """Webhooks and unsubscribes while the database is away."""
    event = mill.sendgrid.event("spamreport", email=mail.email, ref=mail.ref)
    answer = await town.post(mill.sendgrid_path, mill.sendgrid.request([event]))
    assert (answer.status_code, "Retry-After" in answer.headers) == (429, True)
    token = town.token(TokenKind.UNSUBSCRIBE, mail)
    one_click = await town.http.post(f"/u/{token}", data=ONE_CLICK)
    assert (one_click.status_code, "Retry-After" in one_click.headers) == (429, True)
    page = await town.http.post(f"/u/{token}", data=ONE_CLICK, headers=BROWSER)
    assert (page.status_code, "Retry-After" in page.headers) == (503, True)
    assert "not yet unsubscribed" in page.text
    question = await town.http.get(f"/u/{token}", headers=BROWSER)
    assert question.status_code == 200
    assert "this sender" in question.text


async def test_hits_during_an_outage_of_the_database_are_stored_once_afterwards(
    seaside: tuple[Town, Tenant, Mail], private_stack: Stack, own_database: Database
) -> None:
    town, mill, mail = seaside
    await private_stack.postgres.kill()
    try:
        for _ in range(5):
            assert await hit(town, mail) < 5
        await check_refusals(town, mill, mail)
    finally:
        await private_stack.postgres.restart()

    async def all_stored() -> bool:
        return len(await types(own_database, mill.tenant_id)) >= 10

    assert await eventually(all_stored, timeout=40)
    answer = await town.http.post(f"/u/{town.token(TokenKind.UNSUBSCRIBE, mail)}", data=ONE_CLICK)
    assert answer.status_code == 200
    assert await types(own_database, mill.tenant_id) == ["clicked"] * 5 + ["opened"] * 5 + ["unsubscribed"]
    assert await metric(town, "postroad_tracker_hits_deferred_total") >= 10
    assert await metric(town, "postroad_tracker_hits_unrecorded_total") == 0


async def test_outage_of_the_broker_costs_no_event_and_its_signals_come_afterwards(
    seaside: tuple[Town, Tenant, Mail], private_stack: Stack, own_database: Database
) -> None:
    town, mill, mail = seaside
    await private_stack.rabbitmq.kill()
    try:
        assert await hit(town, mail) < 5
        event = mill.sendgrid.event("spamreport", email=mail.email, ref=mail.ref)
        answer = await town.post(mill.sendgrid_path, mill.sendgrid.request([event]))
        assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
        assert await town.count("tracking.outbox", mill.tenant_id) > 0
    finally:
        await private_stack.rabbitmq.restart()
    assert await types(own_database, mill.tenant_id) == ["clicked", "complained", "opened"]

    async def relayed() -> bool:
        return await town.count("tracking.outbox", mill.tenant_id) == 0

    assert await eventually(relayed, timeout=60)


@pytest.mark.prove
async def test_people_are_redirected_while_both_are_away_and_the_loss_is_counted(
    seaside: tuple[Town, Tenant, Mail], private_stack: Stack, own_database: Database, own_tracker: Tracker
) -> None:
    town, mill, mail = seaside
    before = await metric(town, "postroad_tracker_hits_unrecorded_total")
    await private_stack.postgres.kill()
    await private_stack.rabbitmq.kill()
    try:
        assert await hit(town, mail) < 5
        await check_refusals(town, mill, mail)
        assert await metric(town, "postroad_tracker_hits_unrecorded_total") - before == 2
        assert "hit not recorded" in own_tracker.log()
    finally:
        await private_stack.postgres.restart()
        await private_stack.rabbitmq.restart()

    async def well_again() -> bool:
        return (await town.http.get("/readyz")).status_code == 200

    assert await eventually(well_again, timeout=60)
    await hit(town, mail)
    assert await types(own_database, mill.tenant_id) == ["clicked", "opened"]
