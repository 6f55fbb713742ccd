"""The feed of a tenant's events: whoever follows it by its positions misses none and sees none twice."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest_asyncio

from postroad_common.db import create_pool, queries, transaction
from postroad_common.ids import new_id
from postroad_stack.databases import Database
from postroad_stack.eventually import eventually
from postroad_tracker.event_store import EventRow, follow_up, store_events
from postroad_tracker.events import EventType, NormalisedEvent
from postroad_tracker.matching import Claim
from postroad_tracker.submission import submission
from tests.size import FULL

from .town import Town

EVENTS = queries("postroad_sequence_api", "events")
ALWAYS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC))


class Follower:
    """Reads a tenant's feed as the API does, always from where it stopped."""

    def __init__(self, pool: asyncpg.Pool, tenant_id: UUID) -> None:
        self._pool = pool
        self._tenant_id = tenant_id
        self.position = 0
        self.seen: list[UUID] = []

    async def look(self) -> list[UUID]:
        """What is new since the last look."""
        async with transaction(self._pool, self._tenant_id) as conn:
            rows = await conn.fetch(EVENTS.feed, self._tenant_id, self.position, 2**62, None, 10_000)
        new = [row["id"] for row in rows]
        self.position = int(rows[-1]["cursor"]) if rows else self.position
        self.seen += new
        return new


@pytest_asyncio.fixture
async def readers(town_database: Database) -> AsyncIterator[asyncpg.Pool]:
    pool = await create_pool(town_database.dsn("postroad_sequence_api"), application_name="follower", max_size=2)
    yield pool
    await pool.close()


@pytest_asyncio.fixture
async def writers(town_database: Database) -> AsyncIterator[asyncpg.Pool]:
    pool = await create_pool(town_database.dsn("postroad_tracker"), application_name="feed-writers", max_size=6)
    yield pool
    await pool.close()


def event(tenant_id: UUID, key: str) -> EventRow:
    normalised = NormalisedEvent(key=key, type=EventType.OPENED, occurred_at=None)
    one = submission(tenant_id, "pixel", [normalised])
    return EventRow(one, one.event_ids[0], normalised, Claim())


async def store(pool: asyncpg.Pool, rows: Sequence[EventRow]) -> set[UUID]:
    async with transaction(pool, {row.submission.tenant_id for row in rows}) as conn:
        fresh = await store_events(conn, rows)
        await follow_up(conn, fresh.events.values())
    return set(fresh.events)


async def test_an_event_that_commits_late_is_not_missed_by_who_is_past_its_time(
    town: Town, readers: asyncpg.Pool, writers: asyncpg.Pool
) -> None:
    tenant_id = (await town.tenant()).tenant_id
    follower = Follower(readers, tenant_id)
    early, late = event(tenant_id, "early"), event(tenant_id, "late")
    async with transaction(writers, tenant_id) as conn:
        await store_events(conn, [early])
        second = asyncio.create_task(store(writers, [late]))

        async def waits() -> bool:
            return bool(
                await town.admin.fetchval(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE application_name = 'feed-writers' AND wait_event_type = 'Lock'"
                    " AND datname = current_database()"
                )
            )

        await eventually(waits, timeout=10, reason="the second writer waits for the first")
        assert await follower.look() == []
    await second
    assert await follower.look() == [early.event_id, late.event_id]
    times = [row["received_at"] for row in await town.events(tenant_id)]
    assert times == sorted(times)


async def test_the_follower_misses_what_takes_its_place_before_it_may_commit(
    town: Town, readers: asyncpg.Pool, town_database: Database
) -> None:
    """Planted: a writer that takes its place before it commits, and holds nobody up."""
    tenant_id = (await town.tenant()).tenant_id
    follower = Follower(readers, tenant_id)

    async def insert(conn: asyncpg.Connection, position: int) -> None:
        await conn.execute(
            "INSERT INTO tracking.events (tenant_id, event_id, received_at, occurred_at, type, source, position)"
            " VALUES ($1, $2, now(), now(), 'opened', 'pixel', $3)",
            tenant_id,
            new_id(),
            position,
        )

    other = await asyncpg.connect(town_database.admin_dsn)
    async with other.transaction():
        await insert(other, 1)
        await insert(town.admin, 2)
        assert len(await follower.look()) == 1
    await other.close()
    assert await follower.look() == []
    assert await town.count("tracking.events", tenant_id) == 2


async def test_a_follower_sees_each_event_once_while_several_trackers_store_the_same_in_any_order(
    town: Town, readers: asyncpg.Pool, writers: asyncpg.Pool
) -> None:
    rng = random.Random(1)
    tenants = [(await town.tenant()).tenant_id for _ in range(3)]
    followers = [Follower(readers, tenant_id) for tenant_id in tenants]
    batches = 200 if FULL else 25

    async def write() -> set[UUID]:
        stored: set[UUID] = set()
        for number in range(batches):
            # Trackers share some keys: the same webhooks come again while they are being stored.
            rows = [event(rng.choice(tenants), f"{number}-{rng.randrange(12)}") for _ in range(8)]
            keys = {(row.submission.tenant_id, row.event.key): row for row in rows}
            stored |= await store(writers, rng.sample(list(keys.values()), len(keys)))
        return stored

    async def follow(done: asyncio.Event) -> None:
        while not done.is_set():
            for follower in followers:
                await follower.look()

    done = asyncio.Event()
    following = asyncio.create_task(follow(done))
    stored = set().union(*await asyncio.gather(*(write() for _ in range(4))))
    done.set()
    await following
    for follower in followers:
        await follower.look()
    seen = [event_id for follower in followers for event_id in follower.seen]
    assert len(seen) == len(set(seen)) == len(stored)
    assert set(seen) == stored


async def test_an_event_that_found_its_message_late_is_new_to_who_follows_the_sequence(
    town: Town, readers: asyncpg.Pool, writers: asyncpg.Pool
) -> None:
    tenant = await town.tenant()
    mail = await town.mail(tenant, "transmitting")
    normalised = NormalisedEvent(key="p", type=EventType.DELIVERED, occurred_at=None, provider_message_id="p-9")
    one = submission(tenant.tenant_id, "postmark", [normalised])
    await store(writers, [EventRow(one, one.event_ids[0], normalised, Claim())])
    await store(writers, [event(tenant.tenant_id, "ahead")])
    end = await town.admin.fetchval("SELECT last_position FROM tracking.feeds WHERE tenant_id = $1", tenant.tenant_id)

    async def of_the_sequence() -> list[UUID]:
        async with transaction(readers, tenant.tenant_id) as conn:
            rows = await conn.fetch(
                EVENTS.feed_of_sequence, tenant.tenant_id, end, 2**62, None, 10, tenant.sequence_id, *ALWAYS
            )
        return [row["id"] for row in rows]

    assert await of_the_sequence() == []
    await town.settle(mail, provider_message_id="p-9")
    await eventually(of_the_sequence, timeout=10, reason="the event has found its message")
    assert await of_the_sequence() == list(one.event_ids)
