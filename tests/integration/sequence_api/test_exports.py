"""Exports: the file is whom one meant, can be imported again, is whole after a kill, and is read by those who may."""

import csv
import io
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from postroad_common.ids import new_id
from postroad_stack.databases import Database
from tests.http import http_client
from tests.size import FULL

from .house import CreateTenant, Imported, Tenant, api_of, new_tenant, start

PEOPLE = 200_000 if FULL else 5_200
QUICK = {"POSTROAD_SEQUENCE_API_JOB_LEASE_SECONDS": "2"}
FIELDS = ("email", "external_id", "first_name", "last_name", "company", "kind", "timezone")
AWKWARD: list[dict[str, Any]] = [
    {"email": "plain@people.example"},
    {
        "email": "full@people.example",
        "external_id": "crm;1",
        "first_name": 'Ada "the first"',
        "last_name": "Lovelace, Countess",
        "company": "=SUM(A1)",
        "kind": "party",
        "timezone": "Europe/Berlin",
        "attributes": {
            "plan": "pro", "seats": 5, "score": -2.5, "trial": True, "gone": False, "renewal": "2026-12-31",
            "email": "an attribute", "First Name": "another", "contact_id": "x", "attributes.plan": "y",
            "=cmd|' /C calc'!A0": "-1+1", "notes;a|b": "two\nlines", "quoted": "'=already", "twice": "''@x",
            "tabbed": "\tx", "wide": "\uff1d1", "dash": "-", "apostrophe": "'tis",
            "emoji": "\U0001f6b2 \u05e9\u05dc\u05d5\u05dd",
        },
    },
    {"email": "=begins@people.example", "first_name": "+49", "last_name": "@home", "attributes": {"plan": "pro"}},
]  # fmt: skip
TYPES = {"seats": "number", "score": "number", "trial": "boolean", "gone": "boolean", "renewal": "date"}


async def export(tenant: Tenant, **wanted: Any) -> tuple[Any, str]:
    """The job and its CSV."""
    job = await tenant.call("POST", "/contacts/export", json=wanted, expect=202)
    ended = await tenant.until_ended(job["id"])
    assert ended["state"] == "completed", ended
    return ended, (await tenant.ask("GET", f"/jobs/{job['id']}/report")).text


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def person(contact: Any) -> dict[str, Any]:
    return {name: contact[name] for name in (*FIELDS, "attributes")}


async def contacts_of(tenant: Tenant) -> list[dict[str, Any]]:
    found = (await tenant.call("GET", "/contacts", params={"limit": 200}))["items"]
    return sorted((person(contact) for contact in found), key=lambda one: one["email"])


async def test_an_import_makes_the_same_contacts_of_an_export_whatever_they_are_called(
    tenant: Tenant, create_tenant: CreateTenant
) -> None:
    other = await create_tenant("Other")
    for home in (tenant, other):
        for name, type_ in TYPES.items():
            await home.call("POST", "/attributes", json={"name": name, "type": type_}, expect=201)
        await home.call("POST", "/accounts", json={"name": "Acme", "external_id": "=acme"}, expect=201)
    account = (await tenant.call("GET", "/accounts"))["items"][0]
    for one in AWKWARD:
        await tenant.contact(**{"account_id": account["id"] if "external_id" in one else None, **one})
    ended, text = await export(tenant)
    assert (ended["counts"], ended["progress"]["total"]) == ({"contacts": 3}, 3)
    imported = await other.import_(text)
    assert (imported.counts, imported.report) == ((3, 0, 0, 0), [])
    assert await contacts_of(other) == await contacts_of(tenant)
    [full] = (await other.call("GET", "/contacts", params={"email": "full@people.example"}))["items"]
    detail = await other.call("GET", f"/contacts/{full['id']}")
    assert detail["account"]["external_id"] == "=acme"
    again, _ = await export(other)
    assert again["counts"] == {"contacts": 3}


async def test_no_cell_of_an_export_is_a_formula(tenant: Tenant) -> None:
    for one in AWKWARD:
        await tenant.contact(**one)
    _, text = await export(tenant)
    for row in csv.reader(io.StringIO(text, newline="")):
        for cell in row:
            assert cell.startswith("-2.5") or not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d")), cell


async def test_one_exports_whom_a_filter_means_with_the_columns_one_names_in_their_order(tenant: Tenant) -> None:
    await tenant.contact(email="a@people.example", attributes={"plan": "pro", "seats": 3})
    meant = await tenant.contact(email="b@people.example", attributes={"plan": "free", "seats": None})
    columns = ["attributes.plan", "contact_id", "created_at", "attributes.nothing", "email", "email"]
    job, text = await export(tenant, filter='attributes.plan = "free"', columns=columns)
    header, row = csv.reader(io.StringIO(text))
    assert header == ["plan", "contact_id", "created_at", "nothing", "email"]
    assert row == ["free", meant["id"], meant["created_at"], "", "b@people.example"]
    lines = await tenant.ask("GET", f"/jobs/{job['id']}/report", headers={"Accept": "application/x-ndjson"})
    assert [json.loads(line) for line in lines.text.splitlines()] == [
        {
            "contact_id": meant["id"],
            "created_at": meant["created_at"],
            "email": "b@people.example",
            "attributes": {"plan": "free"},
        }
    ]


async def test_an_export_of_nobody_is_a_header(tenant: Tenant) -> None:
    _, text = await export(tenant)
    assert rows_of(text) == []
    assert text.startswith('"email",')


@pytest.mark.parametrize(
    ("body", "field"),
    [({"filter": "nonsense ="}, "filter"), ({"columns": ["password"]}, "columns"), ({"columns": []}, "columns")],
)
async def test_what_cannot_be_exported_is_refused_at_once(tenant: Tenant, body: Any, field: str) -> None:
    problem = await tenant.refused("POST", "/contacts/export", 422, json=body)
    assert problem["field"].startswith(field)
    assert (await tenant.call("GET", "/jobs"))["items"] == []


async def test_a_key_that_may_not_read_contacts_cannot_read_an_export(tenant: Tenant) -> None:
    job, _ = await export(tenant)
    made = await tenant.call(
        "POST", "/api-keys", json={"name": "ops", "role": "owner", "scopes": ["jobs:write"]}, expect=201
    )
    response = await tenant.api.ask("GET", f"/jobs/{job['id']}/report", key=made["key"])
    assert (response.status_code, response.json()["needed"]) == (403, "contacts:read")


async def test_contacts_with_many_large_attributes_are_exported_whole_in_smaller_chunks(tenant: Tenant) -> None:
    await tenant.admin.executemany(
        "INSERT INTO sequence.contacts (tenant_id, contact_id, email, attributes) VALUES ($1, $2, $3, $4)",
        [
            (tenant.tenant_id, new_id(), f"p{n}@people.example", json.dumps({f"a{k}": "x" * 2000 for k in range(90)}))
            for n in range(60)
        ],
    )
    job, text = await export(tenant)
    assert [row["email"] for row in rows_of(text)] == [f"p{n}@people.example" for n in range(60)]
    chunks = await tenant.admin.fetchval("SELECT chunks FROM sequence.jobs WHERE job_id = $1", UUID(job["id"]))
    assert (job["progress"], chunks > 1) == ({"done": 60, "total": 60, "unit": "contacts"}, True)


@pytest.mark.timeout(900 if FULL else 120)
async def test_an_export_killed_on_the_way_has_each_contact_once(
    database: Database, api_vhost: str, tmp_path: Path
) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    async with (
        start(database, api_vhost, tmp_path / "first", POSTROAD_FAULT_KILL="job.chunk_committed:3", **QUICK) as first,
        http_client(timeout=60) as http,
    ):
        tenant = await new_tenant(await api_of(first, http, api_vhost), admin)
        await admin.execute(
            "INSERT INTO sequence.contacts (tenant_id, contact_id, email, attributes)"
            " SELECT $1, gen_random_uuid(), 'p' || n || '@people.example', jsonb_build_object('a' || n / 1000, n)"
            " FROM generate_series(1, $2::integer) AS n",
            tenant.tenant_id,
            PEOPLE,
        )
        job = await tenant.call("POST", "/contacts/export", json={}, expect=202)
        assert await first.wait(timeout=60) == -9
    async with start(database, api_vhost, tmp_path / "second", **QUICK) as second, http_client(timeout=60) as http:
        tenant.api = await api_of(second, http, api_vhost)
        ended: Imported = await tenant.until_imported(job["id"])
        assert sorted(row["email"] for row in ended.report) == sorted(
            f"p{n}@people.example" for n in range(1, PEOPLE + 1)
        )
        text = (await tenant.ask("GET", f"/jobs/{job['id']}/report")).text
        assert all(row[f"a{int(row['email'][1:-15]) // 1000}"] == row["email"][1:-15] for row in rows_of(text))
    await admin.close()
