"""The tracker's hot statements read no table from end to end."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from postroad_common.db import create_pool, queries, transaction
from postroad_common.ids import new_id
from postroad_stack.databases import Database


async def fill(admin: asyncpg.Connection, messages: int) -> Any:
    """A tenant with a ledger worth an index."""
    tenant_id, incarnation_id = new_id(), new_id()
    await admin.execute("INSERT INTO sequence.tenants (tenant_id, name) VALUES ($1, 'Mill')", tenant_id)
    await admin.execute(
        "INSERT INTO delivery.incarnations (incarnation_id, host, pid, expires_at) VALUES ($1, 'h', 1, now())",
        incarnation_id,
    )
    await admin.execute(
        "INSERT INTO sequence.contacts (tenant_id, contact_id, email)"
        " SELECT $1, gen_random_uuid(), 'p' || g || '@x.example' FROM generate_series(1, $2::int) g",
        tenant_id,
        messages,
    )
    await admin.execute(
        "INSERT INTO delivery.messages (tenant_id, enrollment_id, step_key, message_id, state, attempt, incarnation_id,"
        " sequence_id, version, step_number, contact_id, sender_id, recipient, rfc_message_id, provider_message_id,"
        " due_at, transmitting_at, settled_at)"
        " SELECT tenant_id, gen_random_uuid(), 's', gen_random_uuid(),"
        "  CASE WHEN random() < 0.01 THEN 'transmitting' ELSE 'accepted' END, 1, $2, $1, 1, 1, contact_id, $1, email,"
        "  'x', md5(email), now(), now(), now()"
        " FROM sequence.contacts WHERE tenant_id = $1",
        tenant_id,
        incarnation_id,
    )
    await admin.execute(
        "INSERT INTO tracking.stops (tenant_id, stop_id, kind, event_id, enrollment_id, contact_id, email,"
        " acknowledged_at)"
        " SELECT tenant_id, gen_random_uuid(), 'complained', gen_random_uuid(), enrollment_id, contact_id, recipient,"
        "  CASE WHEN random() < 0.99 THEN now() END"
        " FROM delivery.messages WHERE tenant_id = $1",
        tenant_id,
    )
    await admin.execute("ANALYZE")
    return tenant_id


def scans(node: Mapping[str, Any]) -> set[tuple[str, str]]:
    """(kind of scan, table) of every table that a plan reads."""
    found = {(node["Node Type"], node["Relation Name"])} if "Relation Name" in node else set()
    return found.union(*(scans(child) for child in node.get("Plans", [])))


async def plan(conn: Any, statement: str, *arguments: object) -> set[tuple[str, str]]:
    text = await conn.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", *arguments)
    return scans(json.loads(text)[0]["Plan"])


@pytest.mark.parametrize("batch", [1, 500])
async def test_storing_and_acknowledging_look_up_by_index_however_large_the_batch(
    database: Database, batch: int
) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    tenant_id = await fill(admin, 20_000)
    rows = await admin.fetch("SELECT * FROM delivery.messages ORDER BY message_id LIMIT $1", batch)
    stops = await admin.fetch("SELECT stop_id FROM tracking.stops WHERE acknowledged_at IS NULL LIMIT 50")
    pool = await create_pool(database.dsn("postroad_tracker"), application_name="plans", max_size=1)
    tenants, ids = [tenant_id] * batch, [new_id() for _ in rows]
    nothing, no, recipients = [None] * batch, [False] * batch, [row["recipient"] for row in rows]
    provider_ids = [row["provider_message_id"] for row in rows]
    known = [tenants, ids, [str(id_) for id_ in ids], nothing, ["opened"] * batch, ["pixel"] * batch, nothing]
    known += [provider_ids, no, recipients, recipients, nothing, nothing, nothing, no, nothing, nothing]
    candidates = [tenants, ids, [row["message_id"] for row in rows], [0] * batch]
    events, stop = queries("postroad_tracker", "events"), queries("postroad_tracker", "stops")
    async with transaction(pool, tenant_id) as conn:
        stored = await plan(conn, events.store, *known, *candidates)
        stop_ids = [row["stop_id"] for row in stops]
        acknowledged = await plan(conn, stop.acknowledge, tenant_id, stop_ids, True, timedelta(minutes=15))
    await pool.close()
    await admin.close()
    tables = {"messages", "contacts", "stops"}
    assert {("Index Scan", "messages"), ("Index Scan", "contacts")} <= stored
    assert {table for kind, table in stored | acknowledged if kind == "Seq Scan"} & tables == set()
