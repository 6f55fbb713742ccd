"""The hot statements stay on their indexes, however many rows there are."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from postroad_common.db import AnyConnection, create_pool, queries
from postroad_scheduler.reconciling import Reconcile
from postroad_scheduler.taking_up import take_up
from postroad_stack.databases import Database
from postroad_stack.pytest_plugin import own_database, run
from postroad_stack.servers import Stack

from .depot import LEASE, MAX_EMISSIONS, Depot, SendersEnd, keys, settled

CLAIM = queries("postroad_scheduler", "due")["claim"]
RECALL = queries("postroad_scheduler", "due")["recall"]
WAITING = 100_000


@dataclass
class Crowd:
    """A tenant with many enrollments that wait for tomorrow, and connections to look at plans with."""

    tenant_id: UUID
    admin: asyncpg.Connection
    pool: asyncpg.Pool

    @asynccontextmanager
    async def undone(self) -> AsyncIterator[AnyConnection]:
        """The scheduler's transaction, whose writes are taken back; plans are those of any arguments."""
        async with self.pool.acquire() as conn:
            await conn.execute(f"BEGIN; SET LOCAL app.tenants = '{self.tenant_id}'")
            await conn.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            yield conn
            await conn.execute("ROLLBACK")


@pytest.fixture(scope="module")
def crowded(stack: Stack, template_database: Database) -> Iterator[Database]:
    """A database with a crowd, for the tests of this module to look at."""
    with own_database(stack, template_database) as own:
        run(fill(own))
        yield own


async def fill(database: Database) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    async with asyncpg.create_pool(database.dsn("postroad_scheduler"), min_size=0) as pool:
        sequence = await (depot := Depot(admin, pool)).sequence(await depot.tenant(), timedelta(days=1))
    # The keys of these rows hold by how they are made: looking each of them up takes half of the time.
    await admin.execute("SET session_replication_role = replica")
    await admin.execute(
        "INSERT INTO sequence.contacts (tenant_id, contact_id, email)"
        " SELECT $1, gen_random_uuid(), n || '@recipient.example' FROM generate_series(1, $2) AS n",
        sequence.tenant_id,
        WAITING,
    )
    await admin.execute(
        "INSERT INTO sequence.enrollments (tenant_id, enrollment_id, sequence_id, version, contact_id)"
        " SELECT tenant_id, contact_id, $1, 1, contact_id FROM sequence.contacts",
        sequence.sequence_id,
    )
    await admin.execute(
        "INSERT INTO schedule.progress (tenant_id, enrollment_id, sequence_id, version, contact_id, sender_id, state,"
        " phase, step_number, step_key, anchor_at, next_due_at, send_before, wake_at, reason, started_at)"
        " SELECT tenant_id, enrollment_id, sequence_id, 1, contact_id, tenant_id, 'active', 'waiting', 1, 'step-1',"
        " now, now + '1 day', now + '2 days', now + '1 day', '[]', now"
        " FROM sequence.enrollments, postroad.now() AS now"
    )
    await admin.execute("VACUUM ANALYZE schedule.progress, sequence.enrollments, sequence.contacts")
    await admin.close()


@pytest_asyncio.fixture
async def crowd(crowded: Database) -> AsyncIterator[Crowd]:
    admin = await asyncpg.connect(crowded.admin_dsn)
    pool = await create_pool(crowded.dsn("postroad_scheduler"), application_name="plans", max_size=1)
    yield Crowd(await admin.fetchval("SELECT tenant_id FROM sequence.tenants"), admin, pool)
    await pool.close()
    await admin.close()


async def test_an_empty_poll_reads_a_few_index_pages_however_much_waits(crowd: Crowd) -> None:
    body = await crowd.admin.fetchval("SELECT prosrc FROM pg_proc WHERE proname = 'tenants_to_wake'")
    poll = body.replace("up_to", "50").replace("> after", f"> '{UUID(int=0)}'")
    await crowd.admin.execute("SET ROLE postroad_definer")
    polled = await explain(crowd.admin, poll)
    async with crowd.undone() as conn:
        claimed = await explain(conn, CLAIM, [crowd.tenant_id], 500, 5000, LEASE, MAX_EMISSIONS)

    for plan in (polled, claimed):
        assert {"Seq Scan", "Bitmap Heap Scan"}.isdisjoint(scans_of(plan, "progress"))
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 60
    assert scans_of(polled, "progress") == {"Index Only Scan"}


async def test_a_claim_among_many_reads_only_what_it_takes(crowd: Crowd) -> None:
    async with crowd.undone() as conn:
        await conn.execute(
            "UPDATE schedule.progress SET wake_at = postroad.now() WHERE enrollment_id IN"
            " (SELECT enrollment_id FROM schedule.progress LIMIT 2000)"
        )
        plan = await explain(conn, CLAIM, [crowd.tenant_id], 500, 5000, LEASE, MAX_EMISSIONS)

    assert {"Seq Scan", "Bitmap Heap Scan"}.isdisjoint(scans_of(plan, "progress") | scans_of(plan, "enrollments"))
    assert most_rows(plan, "progress") == 500


async def test_recalling_what_was_lost_reads_nothing_that_waits_for_later(crowd: Crowd) -> None:
    """It is asked again and again while a restored database is reconciled."""
    await reconcile_up_to_now(crowd.admin)
    async with crowd.undone() as conn:
        idle = await explain(conn, RECALL, [crowd.tenant_id], 200, LEASE)
        await conn.execute(
            "UPDATE schedule.progress SET wake_at = h.lost_until, next_due_at = h.lost_until"
            " FROM views.hold h WHERE enrollment_id IN (SELECT enrollment_id FROM schedule.progress LIMIT 2000)"
        )
        busy = await explain(conn, RECALL, [crowd.tenant_id], 200, LEASE)

    assert rows_read(idle, "progress") == 0
    assert {"Seq Scan", "Bitmap Heap Scan"}.isdisjoint(scans_of(busy, "progress"))
    assert most_rows(busy, "progress") == 200


async def reconcile_up_to_now(admin: asyncpg.Connection) -> None:
    """The database is held, and what was due up to now is being recalled."""
    await admin.execute(
        "INSERT INTO sequence.installation (system_identifier, timeline, database_oid, written_by, held_at,"
        " held_because, lost_until, reconciling_at)"
        " SELECT s.system_identifier, postroad.timeline(), d.oid, pg_current_xact_id()::text::bigint, now, 'test', now,"
        " now FROM pg_control_system() s, pg_database d, postroad.now() AS now WHERE d.datname = current_database()"
    )


@pytest.mark.parametrize("name", ["lock_running", "read_facts", "apply"])
async def test_settling_reads_only_the_rows_it_settles(crowd: Crowd, name: str) -> None:
    rows = await crowd.admin.fetch("SELECT enrollment_id FROM schedule.progress ORDER BY 1 LIMIT 500")
    statement = queries("postroad_scheduler", "progress")[name]
    async with crowd.undone() as conn:
        arguments = await arguments_of(conn, statement, crowd.tenant_id, [row["enrollment_id"] for row in rows])
        plan = await explain(conn, statement, *arguments)

    for table in ("progress", "enrollments", "contacts"):
        assert "Seq Scan" not in scans_of(plan, table)


async def test_finding_what_was_missed_reads_no_table_through(crowd: Crowd) -> None:
    now = await crowd.admin.fetchval("SELECT postroad.now()")
    found = {
        "untaken": ([crowd.tenant_id], [now], now, 500),
        "unapplied": ([crowd.tenant_id], [now], now, 500),
        "released": ([crowd.tenant_id], [UUID(int=0)], 500),
        "census": ([crowd.tenant_id],),
    }
    for name, arguments in found.items():
        async with crowd.undone() as conn:
            plan = await explain(conn, queries("postroad_scheduler", "reconcile")[name], *arguments)
        assert "Seq Scan" not in scans_of(plan, "progress") | scans_of(plan, "enrollments"), name


async def test_before_there_are_statistics_each_row_is_read_a_few_times_only(depot: Depot, senders: SendersEnd) -> None:
    people, batch = 2000, 500
    sequence = await depot.sequence(await depot.tenant(), timedelta(0), timedelta(0))
    enrollments = await depot.enroll(sequence, await depot.contacts(sequence.tenant_id, people))
    for start in range(0, people, batch):
        await take_up(depot.context, keys(sequence.tenant_id, enrollments[start : start + batch]))
    tick = depot.tick(senders.broker)
    while await tick():
        pass
    items = await senders.take(people)
    for start in range(0, people, batch):
        answers = [settled(item, "accepted", depot.start) for item in items[start : start + batch]]
        await depot.answer(sequence.tenant_id, *answers)
    await depot.want(enrollments, "pause")
    await depot.travel(timedelta(minutes=5))
    await Reconcile(depot.context, after=timedelta(seconds=1), all_every=timedelta(hours=1))()
    assert await depot.phases(enrollments) == {("paused", "held")}

    await depot.pool.close()  # a connection that ends says what it has read
    reads = await depot.admin.fetch(
        "SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) AS rows FROM pg_stat_user_tables"
    )
    assert {row["relname"]: row["rows"] for row in reads if row["rows"] > 60 * people} == {}


async def arguments_of(conn: Any, statement: str, tenant_id: UUID, ids: list[UUID]) -> list[Any]:
    """Arrays as long as the ids, of whatever types the statement takes; in `apply` a state and a phase come fourth."""
    samples: dict[str, Any] = {"timestamptz": await conn.fetchval("SELECT postroad.now()"), "text": "[]", "bytea": b""}
    arguments: list[Any] = []
    for number, parameter in enumerate((await conn.prepare(statement)).get_parameters()):
        kind = parameter.name.removesuffix("[]")
        value = (
            tenant_id if number < 2 else "active" if number == 3 else "waiting" if number == 4 else samples.get(kind, 0)
        )
        arguments.append([value] * len(ids) if parameter.name.endswith("[]") else value)
    arguments[1] = ids
    return arguments


async def explain(conn: Any, statement: str, *arguments: Any) -> dict[str, Any]:
    """The executed plan's root node."""
    (row,) = await conn.fetch(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *arguments)
    plan: dict[str, Any] = json.loads(row[0])[0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def scans_of(plan: dict[str, Any], table: str) -> set[str]:
    return {
        node["Node Type"]
        for node in nodes(plan)
        if node.get("Relation Name") == table and node["Node Type"] != "ModifyTable"
    }


def most_rows(plan: dict[str, Any], table: str) -> int:
    return max(int(node["Actual Rows"]) for node in nodes(plan) if node.get("Relation Name") == table)


def rows_read(plan: dict[str, Any], table: str) -> int:
    """Of a table, those that were not taken included."""
    return sum(
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in nodes(plan)
        if node.get("Relation Name") == table and node["Node Type"] != "ModifyTable"
    )
