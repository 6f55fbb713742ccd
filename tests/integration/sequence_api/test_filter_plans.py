"""Lists by filter read what they need by an index, under row-level security, however rare or common the match."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from bench.contacts import LISTS, populate
from postroad_common.db import create_pool, transaction
from postroad_sequence_api.context import Work
from postroad_sequence_api.models.contacts import ContactPick
from postroad_sequence_api.services import contacts, selection
from postroad_stack import eventually
from postroad_stack.databases import Database
from postroad_stack.pytest_plugin import run

PEOPLE = 20_000
NOBODY = "two that exclude each other"
RANGE = "created in the last fifth"
LATEST = 0.2
"""How many of all are in that range: those with the last ids."""
TABLES = {"contacts", "contact_values", "contact_engagement", "enrollments", "progress", "active_slots"}


class Explaining:
    """A connection that keeps the executed plan of each query that filtering makes."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn
        self.plans: list[dict[str, Any]] = []

    async def fetch(self, text: str, *arguments: Any) -> Any:
        return await self._explained("fetch", text, arguments)

    async def fetchrow(self, text: str, *arguments: Any) -> Any:
        return await self._explained("fetchrow", text, arguments)

    async def fetchval(self, text: str, *arguments: Any) -> Any:
        return await self._explained("fetchval", text, arguments)

    async def execute(self, text: str, *arguments: Any) -> Any:
        return await self._conn.execute(text, *arguments)

    async def _explained(self, method: str, text: str, arguments: tuple[Any, ...]) -> Any:
        plan = await self._conn.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}", *arguments)
        self.plans.append(json.loads(plan)[0]["Plan"])
        return await getattr(self._conn, method)(text, *arguments)


class Meddling:
    """A connection on which the contacts that a search learns of first are no longer meant when it looks at them."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn
        self.gone: list[UUID] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)

    async def fetch(self, text: str, *arguments: Any) -> Any:
        rows = await self._conn.fetch(text, *arguments)
        if not self.gone and len(rows) > selection._FEW:
            self.gone = [row["contact_id"] for row in rows]
            await self._conn.execute(
                "UPDATE sequence.contacts SET created_at = '2020-01-01' WHERE contact_id = ANY ($1)", self.gone
            )
        return rows


@pytest.fixture(scope="module")
def crowd(module_database: Database) -> tuple[Database, UUID]:
    async def settle() -> UUID:
        tenant_id = await populate(module_database.admin_dsn, PEOPLE)
        admin = await asyncpg.connect(module_database.admin_dsn)
        await eventually(partial(all_visible, admin), reason="somebody's snapshot is older than the contacts")
        await admin.close()
        return tenant_id

    return module_database, run(settle())


async def all_visible(admin: asyncpg.Connection) -> bool:
    """Vacuum; whether that has let indexes answer alone, which an analysis in the background may hinder."""
    await admin.execute("VACUUM sequence.contacts, sequence.contact_values")
    whole = await admin.fetchval(
        "SELECT bool_and(relallvisible = relpages) FROM pg_class"
        " WHERE oid IN ('sequence.contacts'::regclass, 'sequence.contact_values'::regclass)"
    )
    return bool(whole)


def scans(node: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
    """(table, kind of scan, rows looked at) of each scan of a plan."""
    if node.get("Relation Name") in TABLES:
        looked_at = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        yield node["Relation Name"], node["Node Type"], looked_at * node["Actual Loops"]
    for child in node.get("Plans", ()):
        yield from scans(child)


def nodes(node: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    """The nodes of a plan that are of one kind."""
    if node["Node Type"] == kind:
        yield node
    for child in node.get("Plans", ()):
        yield from nodes(child, kind)


@asynccontextmanager
async def at_work(crowd: tuple[Database, UUID], around: Callable[[Any], Any]) -> AsyncIterator[tuple[Work, Any]]:
    """A transaction on a connection with something around it, which is rolled back."""
    database, tenant_id = crowd
    async with (
        await create_pool(database.dsn("postroad_sequence_api"), application_name="plans", max_size=1) as pool,
        transaction(pool, tenant_id) as conn,
    ):
        await conn.execute("SAVEPOINT before")
        watched = around(conn)
        yield Work(watched, tenant_id), watched
        await conn.execute("ROLLBACK TO before")


@pytest.mark.parametrize("name", [name for name in LISTS if name != NOBODY])
async def test_a_page_is_read_by_index_and_no_table_whole(crowd: tuple[Database, UUID], name: str) -> None:
    async with at_work(crowd, Explaining) as (work, explaining):
        page = await contacts.listed(work, ContactPick.model_validate(LISTS[name]))

    assert page.items
    found = [scan for plan in explaining.plans for scan in scans(plan)]
    assert found
    assert {(table, kind) for table, kind, _ in found if kind == "Seq Scan"} == set()
    assert sum(rows for table, _, rows in found if table == "contacts") < PEOPLE / 2


async def test_indexes_that_have_nobody_in_common_are_read_once(crowd: tuple[Database, UUID]) -> None:
    async with at_work(crowd, Explaining) as (work, explaining):
        page = await contacts.listed(work, ContactPick.model_validate(LISTS[NOBODY]))

    assert not page.items
    read = sum(rows for plan in explaining.plans for table, _, rows in scans(plan) if table == "contact_values")
    assert read <= 2 * (PEOPLE / 3 + selection._FEW + 2)


@pytest.mark.parametrize("deep", [False, True])
async def test_of_a_range_no_more_is_sorted_than_a_page_needs(crowd: tuple[Database, UUID], *, deep: bool) -> None:
    async with at_work(crowd, Explaining) as (work, explaining):
        ids = await work.conn.fetchval("SELECT array_agg(contact_id ORDER BY contact_id) FROM sequence.contacts")
        after = ids[int(PEOPLE * (1 - LATEST / 2))] if deep else None
        explaining.plans.clear()
        page = await contacts.listed(work, ContactPick(filter=LISTS[RANGE]["filter"], after=after))

    wanted = [one for one in ids[-int(PEOPLE * LATEST) :] if after is None or one > after]
    assert [item.id for item in page.items] == wanted[:50]
    sorts = [child for plan in explaining.plans for node in nodes(plan, "Sort") for child in node["Plans"]]
    assert sorts
    # The slice, and the contacts that are shown.
    assert sum(child["Actual Rows"] for child in sorts) <= selection._FIRST_SLICE + 51


async def test_who_stops_being_meant_on_the_way_hides_nobody(crowd: tuple[Database, UUID]) -> None:
    async with at_work(crowd, Meddling) as (work, meddling):
        page = await contacts.listed(work, ContactPick.model_validate(LISTS[RANGE]))
        rest = await work.conn.fetch(
            "SELECT contact_id FROM sequence.contacts WHERE created_at > postroad.now() - interval '73 days'"
            " ORDER BY contact_id LIMIT 50"
        )

    assert len(meddling.gone) > selection._FEW
    assert [item.id for item in page.items] == [row["contact_id"] for row in rest]


async def test_the_check_sees_a_table_read_whole(crowd: tuple[Database, UUID]) -> None:
    database, _ = crowd
    admin = await asyncpg.connect(database.admin_dsn)
    explaining = Explaining(admin)
    await explaining.fetch("SELECT count(*) FROM sequence.contacts WHERE attributes ->> 'plan' = 'pro'")
    await admin.close()
    assert ("contacts", "Seq Scan", PEOPLE) in list(scans(explaining.plans[0]))
