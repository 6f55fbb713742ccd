"""Who is posted to next: one tenant's receivers, slow or failing, leave room for another's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from aiohttp import web

from postroad_common.db import create_pool, queries, transaction
from postroad_common.ids import new_id
from postroad_common.sealing import KeyRing
from postroad_sequence_api.webhooks import happenings
from postroad_sequence_api.webhooks.delivering import Deliveries, Terms
from postroad_sequence_api.webhooks.destinations import Reach, Resolver
from postroad_sequence_api.webhooks.posting import Poster
from postroad_sequence_api.webhooks.recording import record
from postroad_sequence_api.webhooks.secrets import seal
from postroad_sequence_api.webhooks.signing import new_secret
from postroad_stack.databases import Database

from .house import KEYS
from .receivers import OUTSIDE, Received, Receiver, receiver

SUBSCRIPTIONS = queries("postroad_sequence_api", "webhook_subscriptions")
KEYRING = KeyRing.parse(KEYS)
WORKERS, RESERVE = 8, 2


@pytest_asyncio.fixture
async def pool(database: Database) -> AsyncIterator[asyncpg.Pool]:
    opened = await create_pool(database.dsn("postroad_sequence_api"), application_name="turns", max_size=3)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def admin(database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.admin_dsn)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def slow() -> AsyncIterator[Receiver]:
    """A receiver that answers when the test is over."""
    over = asyncio.Event()

    async def late(_: Received) -> web.StreamResponse:
        await over.wait()
        return web.Response(status=204)

    async with receiver() as taking:
        taking.behave = late
        yield taking
        over.set()


@pytest_asyncio.fixture
async def quick() -> AsyncIterator[Receiver]:
    async with receiver() as taking:
        yield taking


@asynccontextmanager
async def posting(pool: asyncpg.Pool, workers: int) -> AsyncIterator[Deliveries]:
    """The loop's body; posts that are on their way at the end are broken off, and settled as such."""
    terms = Terms(workers, per_subscription=5, lease=timedelta(minutes=1), disable_after=timedelta(days=3))
    poster = Poster(Reach.parse(OUTSIDE), Resolver(1), timeout_seconds=60)
    async with Deliveries(pool, KEYRING, poster, terms) as deliveries, poster:
        yield deliveries


async def subscribers(pool: asyncpg.Pool, admin: asyncpg.Connection, to: Receiver, count: int = 1) -> UUID:
    """A new tenant with so many subscriptions."""
    tenant_id = new_id()
    await admin.execute("INSERT INTO sequence.tenants (tenant_id, name) VALUES ($1, 'Mill')", tenant_id)
    async with transaction(pool, tenant_id) as conn:
        for id_ in [new_id() for _ in range(count)]:
            sealed = seal(KEYRING, tenant_id, id_, new_secret())
            await conn.execute(SUBSCRIPTIONS.insert_subscription, tenant_id, id_, to.url, ["*"], "", sealed, True)
    return tenant_id


async def happen(pool: asyncpg.Pool, tenant_id: UUID, count: int = 1) -> None:
    """So many events, each recorded for all subscriptions of the tenant."""
    data = {"subscription_id": new_id()}
    events = [happenings.event("webhook.test", new_id(), datetime.now(UTC), tenant_id, data) for _ in range(count)]
    async with transaction(pool, tenant_id) as conn:
        await record(conn, tenant_id, events)


async def post_all(deliveries: Deliveries) -> None:
    while await deliveries():
        pass


@pytest.mark.parametrize("failing", [False, True], ids=["slow", "failing"])
async def test_one_tenants_receivers_never_have_every_post(
    pool: asyncpg.Pool, admin: asyncpg.Connection, slow: Receiver, quick: Receiver, failing: bool
) -> None:
    crowd, other = await subscribers(pool, admin, slow, WORKERS + 2), await subscribers(pool, admin, quick)
    if failing:
        await admin.execute(
            "UPDATE sequence.webhook_subscriptions SET failing_since = postroad.now(), last_failed_at = postroad.now()"
            " WHERE tenant_id = $1",
            crowd,
        )
    await happen(pool, crowd, 2)
    async with posting(pool, WORKERS) as deliveries:
        await post_all(deliveries)
        await slow.received(WORKERS - RESERVE)
        await happen(pool, other, 3)

        await post_all(deliveries)
        await quick.received(RESERVE)

        assert len(slow.log) == WORKERS - RESERVE


async def test_what_works_is_posted_to_although_more_than_there_are_workers_fail_and_are_due(
    pool: asyncpg.Pool, admin: asyncpg.Connection, slow: Receiver, quick: Receiver
) -> None:
    """Healthy ones go first, and what fails does not fill the places that they leave in the reserve."""
    working, failing = await subscribers(pool, admin, quick), await subscribers(pool, admin, slow, WORKERS)
    await admin.execute(
        "UPDATE sequence.webhook_subscriptions SET failing_since = postroad.now(), last_failed_at = postroad.now()"
        " WHERE tenant_id = $1",
        failing,
    )
    await happen(pool, failing)
    await happen(pool, working, 3)
    async with posting(pool, WORKERS) as deliveries:
        assert await deliveries()
        await quick.received(3)
        await slow.received(WORKERS - RESERVE - 3)
        assert len(slow.log) == WORKERS - RESERVE - 3


async def test_tenants_take_turns_however_old_the_backlog_of_one_is(
    pool: asyncpg.Pool, admin: asyncpg.Connection, slow: Receiver, quick: Receiver
) -> None:
    crowd, other = await subscribers(pool, admin, slow, 3), await subscribers(pool, admin, quick)
    await happen(pool, crowd, 3)
    await happen(pool, other, 3)
    async with posting(pool, workers=3) as deliveries:
        await post_all(deliveries)
        await slow.received(2)
        await quick.received(1)
