"""Lists by filter read what they need by an index, under row-level security, however rare or common the match."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from bench.contacts import LISTS, populate
from postroad_common.db import create_pool, transaction
from postroad_sequence_api.context import Work
from postroad_sequence_api.models.contacts import ContactPick
from postroad_sequence_api.services import contacts
from postroad_stack.databases import Database
from postroad_stack.pytest_plugin import run

PEOPLE = 20_000
SLOW = {"two that exclude each other"}
"""What no source narrows down: bounded by time alone."""
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


@pytest.fixture(scope="module")
def crowd(module_database: Database) -> tuple[Database, UUID]:
    return module_database, run(populate(module_database.admin_dsn, PEOPLE))


def scans(node: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
    """(table, kind of scan, rows looked at) of each scan of a plan."""
    if node.get("Relation Name") in TABLES:
        looked_at = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        yield node["Relation Name"], node["Node Type"], looked_at * node["Actual Loops"]
    for child in node.get("Plans", ()):
        yield from scans(child)


@pytest.mark.parametrize("name", [name for name in LISTS if name not in SLOW])
async def test_a_page_is_read_by_index_and_no_table_whole(crowd: tuple[Database, UUID], name: str) -> None:
    database, tenant_id = crowd
    async with (
        await create_pool(database.dsn("postroad_sequence_api"), application_name="plans", max_size=1) as pool,
        transaction(pool, tenant_id) as conn,
    ):
        explaining = Explaining(conn)
        work = Work(explaining, tenant_id)  # type: ignore[arg-type]  # as much of a connection as it needs
        page = await contacts.listed(work, ContactPick.model_validate(LISTS[name]))

    assert page.items
    found = [scan for plan in explaining.plans for scan in scans(plan)]
    assert found
    assert {(table, kind) for table, kind, _ in found if kind == "Seq Scan"} == set()
    assert sum(rows for table, _, rows in found if table == "contacts") < PEOPLE / 2


async def test_the_check_sees_a_table_read_whole(crowd: tuple[Database, UUID]) -> None:
    database, _ = crowd
    admin = await asyncpg.connect(database.admin_dsn)
    explaining = Explaining(admin)
    await explaining.fetch("SELECT count(*) FROM sequence.contacts WHERE attributes ->> 'plan' = 'pro'")
    await admin.close()
    assert ("contacts", "Seq Scan", PEOPLE) in list(scans(explaining.plans[0]))
