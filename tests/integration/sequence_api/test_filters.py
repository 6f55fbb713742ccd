"""What a filter finds in the database is whom it means, page by page, whatever happens to the table meanwhile."""

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, example, given, settings

from postroad_common.db import create_pool, transaction
from postroad_common.ids import new_id
from postroad_sequence_api.context import Work
from postroad_sequence_api.filtering import tree as t
from postroad_sequence_api.filtering.parsing import parse, text_of
from postroad_sequence_api.services import selection
from postroad_stack.databases import Database
from postroad_stack.pytest_plugin import run
from tests.filters import EXAMPLE_SCHEMA, NOW, STATES, TYPES, WORDS, Company, Person, means, nodes
from tests.size import examples

TENANT, OTHER = UUID(int=71), UUID(int=72)
COMPANIES = [
    Company(UUID(int=1001), "Acme", "acme.example", "o'Hara", {"tier": "Pro", "employees": 3}),
    Company(UUID(int=1002), "Éva", None, None, {"tier": 3, "employees": 2.5}),
]


def people(count: int) -> list[Person]:
    """People of whom each differs in something that filters ask."""
    rng = random.Random(71)

    def some(*values: Any) -> Any:
        return rng.choice(values)

    def moment() -> datetime:
        return NOW + rng.choice(
            [timedelta(0), timedelta(days=1), *(-timedelta(days=n) for n in (0.5, 1, 29.9, 30, 31, 400))]
        )

    found = []
    for number in range(count):
        attributes = {
            "plan": some(*WORDS, 3, None), "seats": some(-1, 0, 2, 2.5, "3"), "trial": some(True, False, "true"),
            "renewal": some("2026-11-22", "2026-11-21", "2027-01-01", "soon", 5),
            "Billing city": some("Acme", "o'Hara"),
            "seen": some("2026-11-22T15:00:00.000Z", "2026-10-23T09:30:00.000Z", "2026-11-22", "never"),
            "loose": some("Pro", 3, True, "2026-11-22", None, 2.5),
        }  # fmt: skip
        found.append(
            Person(
                id=UUID(int=1 if number == 0 else (number + 1) << 80),
                email=f"p{number}@{some('example.com', 'a_b.example', '100.example')}",
                kind=some("lead", "party"),
                external_id=some(None, f"{rng.choice(WORDS)}" if number < len(WORDS) else None),
                first_name=some("", *WORDS),
                last_name=some("", *WORDS),
                company=some("", *WORDS),
                timezone=some(None, "Europe/Paris"),
                created_at=moment(),
                updated_at=moment(),
                attributes={name: value for name, value in attributes.items() if rng.random() < 0.7},
                account=some(None, *COMPANIES),
                last={what: moment() for what in ("opened", "clicked", "replied") if rng.random() < 0.4},
                counts={what: rng.randrange(4) for what in ("opens", "clicks", "replies")},
                barred={
                    what: moment()
                    for what in ("manual", "bounced", "complained", "unsubscribed")
                    if rng.random() < 0.15
                },
                enrollments=tuple(
                    (EXAMPLE_SCHEMA.sequences[name], some(*STATES))
                    for name in EXAMPLE_SCHEMA.sequences
                    if rng.random() < 0.4
                ),
            )
        )
    taken: set[str] = set()
    for place, one in enumerate(found):  # external ids are unique
        if one.external_id in taken:
            found[place] = replace(one, external_id=None)
        taken.add(one.external_id or "")
    return [one if one.last else replace(one, counts={}) for one in found]


PEOPLE = people(90)


async def settle(admin: asyncpg.Connection) -> None:
    """Write the people down, twice: the second tenant must never show."""
    await admin.execute(
        "CREATE OR REPLACE FUNCTION postroad.now() RETURNS timestamptz LANGUAGE sql STABLE"
        f" AS $$ SELECT '{NOW.isoformat()}'::timestamptz $$"
    )
    for tenant in (TENANT, OTHER):
        await found_tenant(admin, tenant)
        for person in PEOPLE:
            await move_in(admin, tenant, person)
    await admin.execute("ANALYZE")


async def found_tenant(admin: asyncpg.Connection, tenant: UUID) -> None:
    await admin.execute("INSERT INTO sequence.tenants (tenant_id, name) VALUES ($1, 'Mill')", tenant)
    await admin.execute(
        "INSERT INTO sequence.senders (tenant_id, sender_id, name, from_email, host, port)"
        " VALUES ($1, $1, 's', 's', 'h', 1)",
        tenant,
    )
    for name, sequence_id in EXAMPLE_SCHEMA.sequences.items():
        await admin.execute(
            "INSERT INTO sequence.sequences (tenant_id, sequence_id, name) VALUES ($1, $2, $3)",
            tenant, sequence_id, name,
        )  # fmt: skip
        await admin.execute(
            "INSERT INTO sequence.sequence_versions (tenant_id, sequence_id, version, sender_id)"
            " VALUES ($1, $2, 1, $1)",
            tenant, sequence_id,
        )  # fmt: skip
    for number, (name, type_) in enumerate(TYPES.items()):
        await admin.execute(
            "INSERT INTO sequence.attributes (tenant_id, attribute_id, entity, name, type, indexed)"
            " VALUES ($1, $2, 'contact', $3, $4, $5)",
            tenant, UUID(int=100 + number), name, type_.value, name != "Billing city",
        )  # fmt: skip
    for name, defined in EXAMPLE_SCHEMA.account.items():
        await admin.execute(
            "INSERT INTO sequence.attributes (tenant_id, attribute_id, entity, name, type)"
            " VALUES ($1, gen_random_uuid(), 'account', $2, $3)",
            tenant, name, defined.type.value,
        )  # fmt: skip
    for company in COMPANIES:
        await admin.execute(
            "INSERT INTO sequence.accounts (tenant_id, account_id, name, domain, external_id, attributes)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            tenant, company.id, company.name, company.domain, company.external_id, json.dumps(company.attributes),
        )  # fmt: skip


async def move_in(admin: asyncpg.Connection, tenant: UUID, person: Person) -> None:
    await admin.execute(
        "INSERT INTO sequence.contacts (tenant_id, contact_id, email, kind, external_id, first_name, last_name,"
        " company, timezone, created_at, updated_at, attributes, account_id)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        tenant, person.id, person.email, person.kind, person.external_id, person.first_name, person.last_name,
        person.company, person.timezone, person.created_at, person.updated_at, json.dumps(person.attributes),
        person.account.id if person.account else None,
    )  # fmt: skip
    if person.last:
        await admin.execute(
            "INSERT INTO tracking.contact_engagement VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            tenant, person.id, *(person.last.get(what) for what in ("opened", "clicked", "replied")),
            *(person.counts[what] for what in ("opens", "clicks", "replies")),
        )  # fmt: skip
    for kind, at in person.barred.items():
        if kind == "manual":
            await admin.execute(
                "INSERT INTO sequence.suppressions (tenant_id, email, created_at) VALUES ($1, $2, $3)",
                tenant, person.email, at,
            )  # fmt: skip
        else:
            await admin.execute(
                "INSERT INTO tracking.stops (tenant_id, stop_id, kind, event_id, email, created_at)"
                " VALUES ($1, gen_random_uuid(), $2, gen_random_uuid(), $3, $4)",
                tenant, kind, person.email, at,
            )  # fmt: skip
    for sequence_id, state in person.enrollments:
        await enroll(admin, tenant, person.id, sequence_id, state)


async def enroll(admin: asyncpg.Connection, tenant: UUID, contact_id: UUID, sequence_id: UUID, state: str) -> None:
    enrollment_id = new_id()
    await admin.execute(
        "INSERT INTO sequence.enrollments (tenant_id, enrollment_id, sequence_id, version, contact_id)"
        " VALUES ($1, $2, $3, 1, $4)",
        tenant, enrollment_id, sequence_id, contact_id,
    )  # fmt: skip
    ended = state not in ("active", "paused")
    if not ended:
        await admin.execute(
            "INSERT INTO sequence.active_slots VALUES ($1, $2, $3, $4)",
            tenant, contact_id, f"sequence:{sequence_id}", enrollment_id,
        )  # fmt: skip
    if state == "active" and contact_id.int % 3 == 0:
        return  # nobody has taken it up yet
    ended_at = ("", "") if state == "active" else (f", {state}_at", ", $7")
    await admin.execute(
        "INSERT INTO schedule.progress (tenant_id, enrollment_id, sequence_id, version, contact_id, sender_id, state,"
        " phase, step_number, step_key, anchor_at, next_due_at, send_before, wake_at, reason, started_at"
        f"{ended_at[0]})"
        f" VALUES ($1, $2, $3, 1, $4, $1, $5, $6, 1, 's', $7, $7, $7, $8, '[]', $7{ended_at[1]})",
        tenant, enrollment_id, sequence_id, contact_id, state, "ended" if ended else "waiting", NOW,
        None if ended else NOW,
    )  # fmt: skip


@pytest.fixture(scope="module")
def settled(module_database: Database) -> Database:
    async def fill() -> None:
        admin = await asyncpg.connect(module_database.admin_dsn)
        await settle(admin)
        await admin.close()

    run(fill())
    return module_database


@pytest_asyncio.fixture
async def pool(settled: Database) -> AsyncIterator[asyncpg.Pool]:
    async with await create_pool(settled.dsn("postroad_sequence_api"), application_name="filters", max_size=2) as own:
        yield own


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that ninety people take every way that a million do."""
    monkeypatch.setattr(selection, "_FEW", 5)
    monkeypatch.setattr(selection, "_SORTED_AT_ONCE", 12)
    monkeypatch.setattr(selection, "_FIRST_SLICE", 4)
    monkeypatch.setattr(selection, "_GROWTH", 2)
    monkeypatch.setattr(selection, "_RATHER_THAN_SORT", 2)
    monkeypatch.setattr(selection, "_SORTED_SLICE", 5)


@asynccontextmanager
async def at_work(pool: asyncpg.Pool, tenant: UUID = TENANT) -> AsyncIterator[Work]:
    async with transaction(pool, tenant) as conn:
        yield Work(conn, tenant)


async def found_by(pool: asyncpg.Pool, text: str, page: int = 1000) -> list[UUID]:
    """All whom a filter finds, page by page."""
    found: list[UUID] = []
    async with at_work(pool) as work:
        chosen = await selection.select(work, text)
        while True:
            ids = await selection.contact_ids(work, chosen, after=found[-1] if found else None, limit=page, patience=60)
            found += ids
            if len(ids) < page:
                return found


@settings(max_examples=examples(120), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(nodes())
@example(parse("not ever enrolled and (opens >= 2 or never opened)"))
@example(parse('first_name starts with "é" or company = "ACME"'))
@example(parse("created_at within 30d and not created_at > 30d ago"))
@example(parse("created_at < 100d ago"))
@example(parse('created_at < 30d ago and domain != "example.com"'))
@example(parse('opened within 30d or last_name starts with "a"'))
@example(parse("opened within 40d and created_at < 20d ago"))
async def test_the_database_finds_whom_the_filter_means(pool: asyncpg.Pool, small_slices: None, node: t.Node) -> None:
    meant = sorted(person.id for person in PEOPLE if means(node, person))
    assert await found_by(pool, text_of(node), page=6) == meant
