"""Lists of contacts by filter among 1,000,000, under row-level security: milliseconds a page, rare and common matches.

The reference, in the same run: a page of 50 contacts by primary key without any filter.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from postroad_common.db import create_pool, transaction
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import FilterTooSlowError
from postroad_sequence_api.models.contacts import ContactPick
from postroad_sequence_api.services import contacts
from postroad_stack import start_stack
from tests.acceptance.conftest import migrated_database

PEOPLE = 1_000_000
PAGE = 50
ROUNDS = 12
AIM_MS = 100

FILTERS: Mapping[str, str] = {
    "indexed attribute, one in three": 'attributes.plan = "pro"',
    "indexed attribute, one in 10,000": "attributes.vip = true",
    "indexed number, one in a hundred": "attributes.score >= 99",
    "two indexed attributes": 'attributes.plan = "pro" and attributes.country = "c7"',
    "two that exclude each other": 'attributes.plan = "pro" and attributes.tier = "free"',
    "a domain": 'domain = "d17.example"',
    "beginning of a name": 'last_name starts with "last123"',
    "opened lately, one in five": "opened within 30d",
    "opened lately, one in 1,000": "opened within 1h",
    "opened and never clicked": "opened within 30d and never clicked",
    "not enrolled": 'kind = "lead" and not enrolled',
    "enrolled in a sequence": 'enrolled in "Bench"',
    "replied, one in a hundred": 'enrollment.state = "replied"',
    "suppressed, one in a thousand": "suppressed",
    "created in the last fifth": "created_at > 73d ago",
    "attribute without an index, one in three": 'attributes.colour = "red"',
    "mixed": '(attributes.plan = "team" or opened within 30d) and not suppressed and not enrolled in "Bench"',
}
LISTS: Mapping[str, Mapping[str, str]] = {
    "no filter": {},
    **{name: {"filter": text} for name, text in FILTERS.items()},
    "search for a name": {"q": "last123"},
    "search for an address": {"q": "p5000"},
}

POPULATION = """
INSERT INTO sequence.contacts
    (tenant_id, contact_id, email, first_name, last_name, company, kind, attributes, created_at)
SELECT $1, (lpad(to_hex(1700000000000 + n * 10), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8'
            || substr(md5(n::text), 4, 15))::uuid,
       'p' || n || '@d' || n % 5000 || '.example', 'First' || n * 7919 % 3000, 'Last' || n * 104729 % 50000,
       'Company ' || n % 20000, CASE WHEN n % 50 = 0 THEN 'party' ELSE 'lead' END,
       jsonb_build_object('plan', plan, 'tier', plan, 'score', n * 31 % 1000 / 10.0, 'country', 'c' || n * 13 % 200,
                          'vip', n % 10000 = 0, 'colour', CASE WHEN n % 3 = 0 THEN 'red' ELSE 'blue' END),
       postroad.now() - interval '365 days' * (1 - n / $3::float8)
FROM generate_series($2::bigint, $2::bigint + 9999) AS n,
     LATERAL (SELECT (ARRAY['free', 'pro', 'team'])[1 + n % 3] AS plan) p
"""
ENGAGED = """
INSERT INTO tracking.contact_engagement (tenant_id, contact_id, last_opened_at, last_clicked_at, opens, clicks)
SELECT tenant_id, contact_id,
       postroad.now() - CASE WHEN n % 1000 = 0 THEN interval '30 minutes' WHEN n % 5 = 0 THEN interval '10 days'
                             ELSE interval '100 days' END,
       CASE WHEN n % 20 = 0 THEN postroad.now() - interval '10 days' END, 1, 1
FROM (SELECT *, substr(email, 2, strpos(email, '@') - 2)::bigint AS n FROM sequence.contacts) c WHERE n % 2 = 0
"""
OTHERS = (
    "INSERT INTO sequence.templates (tenant_id, template_id, name) VALUES ($1, $1, 't')",
    (
        "INSERT INTO sequence.senders (tenant_id, sender_id, name, from_email, host, port)"
        " VALUES ($1, $1, 's', 's', 'h', 1)"
    ),
    "INSERT INTO sequence.sequences (tenant_id, sequence_id, name) VALUES ($1, $1, 'Bench')",
    "INSERT INTO sequence.sequence_versions (tenant_id, sequence_id, version, sender_id) VALUES ($1, $1, 1, $1)",
    (
        "INSERT INTO sequence.enrollments (tenant_id, enrollment_id, sequence_id, version, contact_id)"
        " SELECT $1, gen_random_uuid(), $1, 1, contact_id FROM sequence.contacts WHERE hashtext(email) % 10 = 0"
    ),
    (
        "INSERT INTO sequence.active_slots (tenant_id, contact_id, scope, enrollment_id)"
        " SELECT tenant_id, contact_id, 'sequence:' || sequence_id, enrollment_id FROM sequence.enrollments"
        " WHERE tenant_id = $1 AND hashtext(contact_id::text) % 10 <> 0"
    ),
    (
        "INSERT INTO schedule.progress (tenant_id, enrollment_id, sequence_id, version, contact_id, sender_id, state,"
        " phase, step_number, step_key, anchor_at, next_due_at, send_before, wake_at, reason, started_at, replied_at)"
        " SELECT e.tenant_id, e.enrollment_id, sequence_id, 1, e.contact_id, e.tenant_id,"
        "  CASE WHEN s.contact_id IS NULL THEN 'replied' ELSE 'active' END,"
        "  CASE WHEN s.contact_id IS NULL THEN 'ended' ELSE 'waiting' END, 1, 's', now, now, now,"
        "  CASE WHEN s.contact_id IS NOT NULL THEN now END, '[]', now, CASE WHEN s.contact_id IS NULL THEN now END"
        " FROM postroad.now() AS now, sequence.enrollments e LEFT JOIN sequence.active_slots s USING (enrollment_id)"
        " WHERE e.tenant_id = $1"
    ),
    (
        "INSERT INTO sequence.suppressions (tenant_id, email)"
        " SELECT tenant_id, email FROM sequence.contacts WHERE tenant_id = $1 AND hashtext(email || 's') % 1000 = 0"
    ),
)
INDEXED = {"plan": "text", "tier": "text", "vip": "boolean", "score": "number", "country": "text"}


@dataclass(frozen=True)
class Figures:
    """Milliseconds of one kind of list."""

    first: Sequence[float]
    deep: Sequence[float]
    found: int


async def populate(dsn: str, people: int) -> UUID:
    """One tenant with that many contacts, their opens, enrollments and suppressions."""
    tenant_id = UUID("01900000-0000-7000-8000-000000000001")
    admin = await asyncpg.connect(dsn)
    await admin.execute("SET synchronous_commit = off")
    await admin.execute("INSERT INTO sequence.tenants (tenant_id, name) VALUES ($1, 'Bench')", tenant_id)
    for name, type_ in INDEXED.items():
        await admin.execute(
            "INSERT INTO sequence.attributes (tenant_id, attribute_id, entity, name, type, indexed)"
            " VALUES ($1, gen_random_uuid(), 'contact', $2, $3, true)",
            tenant_id,
            name,
            type_,
        )
    for first in range(1, people + 1, 10_000):
        await admin.execute(POPULATION, tenant_id, first, float(people))
    await admin.execute(ENGAGED)
    for statement in OTHERS:
        await admin.execute(statement, tenant_id)
    await admin.execute("VACUUM ANALYZE")
    await admin.close()
    return tenant_id


async def page(pool: asyncpg.Pool, tenant_id: UUID, pick: ContactPick) -> int:
    """A list as the API answers it; how many it shows, -1 when it is refused as too slow."""
    try:
        async with transaction(pool, tenant_id) as conn:
            return len((await contacts.listed(Work(conn, tenant_id), pick)).items)
    except FilterTooSlowError:
        return -1


async def by_key(pool: asyncpg.Pool, tenant_id: UUID, after: UUID) -> float:
    """Milliseconds for a page by primary key."""
    started = time.perf_counter()
    async with transaction(pool, tenant_id) as conn:
        await conn.fetch(
            "SELECT contact_id, email, first_name, last_name, company, kind, timezone, attributes, created_at"
            " FROM sequence.contacts WHERE tenant_id = $1 AND contact_id > $2 ORDER BY contact_id LIMIT 51",
            tenant_id,
            after,
        )
    return (time.perf_counter() - started) * 1000


async def measure(pool: asyncpg.Pool, tenant_id: UUID, cursors: Sequence[UUID], asked: Mapping[str, str]) -> Figures:
    """First pages, and pages after cursors all over the table."""
    first, deep, found = [], [], 0
    for cursor in cursors:
        started = time.perf_counter()
        found = await page(pool, tenant_id, ContactPick(**asked))
        first.append((time.perf_counter() - started) * 1000)
        started = time.perf_counter()
        await page(pool, tenant_id, ContactPick(**asked, after=cursor))
        deep.append((time.perf_counter() - started) * 1000)
    return Figures(first, deep, found)


def p95(figures: Sequence[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(figures, n=20, method="inclusive")[-1]


async def run(dsn: str, role_dsn: str) -> None:
    """Populate, measure, print."""
    started = time.monotonic()
    tenant_id = await populate(dsn, PEOPLE)
    print(f"  population of {PEOPLE:,} in {time.monotonic() - started:,.0f} s")
    pool = await create_pool(role_dsn, application_name="bench", max_size=2)
    cursors = await pool_cursors(pool, tenant_id)
    reference = [await by_key(pool, tenant_id, cursor) for cursor in cursors * 4]
    print(
        f"  {'reference: by primary key':42} p50 {statistics.median(reference):6.1f} ms, p95 {p95(reference):6.1f} ms"
    )
    everything: list[float] = []
    for name, asked in LISTS.items():
        figures = await measure(pool, tenant_id, cursors, asked)
        everything += [*figures.first, *figures.deep]
        print(f"  {name:42} {said('first', figures.first)}; {said('deep', figures.deep)}; {figures.found} found")
    ratio = statistics.median(everything) / statistics.median(reference)
    print(f"  {said('all lists:', everything)} (aim {AIM_MS} ms); p50 is {ratio:.1f}x the reference")
    await pool.close()


def said(what: str, figures: Sequence[float]) -> str:
    """Median and 95th percentile."""
    return f"{what} p50 {statistics.median(figures):6.1f} ms, p95 {p95(figures):6.1f} ms"


async def pool_cursors(pool: asyncpg.Pool, tenant_id: UUID) -> list[UUID]:
    """Contacts all over the table, as the cursors of deep pages."""
    async with transaction(pool, tenant_id) as conn:
        rows = await conn.fetch(
            "SELECT contact_id FROM (SELECT contact_id, row_number() OVER (ORDER BY contact_id) AS n"
            " FROM sequence.contacts WHERE tenant_id = $1) c WHERE n % $2 = 0 LIMIT $3",
            tenant_id,
            PEOPLE // (ROUNDS + 1),
            ROUNDS,
        )
    return [row["contact_id"] for row in rows]


async def _main() -> None:
    async with start_stack() as stack, migrated_database(stack.postgres.dsn) as database:
        await run(database.admin_dsn, database.dsn("postroad_sequence_api"))


def main() -> None:
    """Print the figures."""
    print(f"lists of contacts by filter: {PEOPLE:,} contacts of one tenant, row-level security forced, pages of {PAGE}")
    asyncio.run(_main())
