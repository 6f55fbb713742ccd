"""Erasing contacts, as far as the API does it: what it waits for, what is gone, and what a kill on the way changes."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from postroad_common.ids import new_id
from postroad_stack.databases import Database
from postroad_stack.eventually import eventually
from tests.http import http_client

from .house import CreateTenant, Enrolled, Tenant, api_of, new_tenant, start

QUICK = {"POSTROAD_SEQUENCE_API_JOB_LEASE_SECONDS": "2"}


async def confirmed(tenant: Tenant, *contact_ids: str) -> None:
    """Sender and tracker have done their part."""
    for schema in ("delivery", "tracking"):
        await tenant.admin.executemany(
            f"INSERT INTO {schema}.erasures (tenant_id, contact_id, erased_at) VALUES ($1, $2, postroad.now())",
            [(tenant.tenant_id, UUID(id_)) for id_ in contact_ids],
        )


async def erase(tenant: Tenant, *contact_ids: str) -> Any:
    return await tenant.call("POST", "/contacts/erase", json={"contact_ids": contact_ids}, expect=202)


async def is_gone(tenant: Tenant, contact_id: str) -> bool:
    return (await tenant.ask("GET", f"/contacts/{contact_id}")).status_code == 404


async def test_a_contact_is_erased_when_its_enrollments_have_ended_and_the_job_when_all_have_confirmed(
    tenant: Tenant, outbox: Any
) -> None:
    one = await tenant.enrolled()
    await one.taken_up()
    email = one.contact["email"]
    job = await tenant.call("POST", f"/contacts/{one.contact['id']}/erase", expect=202)

    async def is_stopped() -> bool:
        return bool((await tenant.reopen(one.enrollment_id))["intent"] == "stop")

    await eventually(is_stopped, timeout=10, reason="the enrollment is stopped")
    assert not await is_gone(tenant, one.contact["id"]), "the scheduler may still work with it"
    await one.ended("unenrolled")
    await eventually(lambda: is_gone(tenant, one.contact["id"]), timeout=10, reason="the contact is gone")
    [told] = await outbox.received("contacts.erased.v1", 1)
    assert told["items"] == [
        {"contact_id": one.contact["id"], "addresses": [email], "enrollment_ids": [str(one.enrollment_id)]}
    ]
    assert (await tenant.call("GET", f"/jobs/{job['id']}"))["ended_at"] is None
    await confirmed(tenant, one.contact["id"])
    ended = await tenant.until_imported(job["id"])
    assert ended.job["counts"] == {"erased": 1}
    assert ended.report == [{"contact_id": one.contact["id"], "result": "erased"}]
    assert (await tenant.reopen(one.enrollment_id))["contact_id"] == one.contact["id"], "the record stays"
    assert await tenant.admin.fetchval(
        "SELECT NOT position ? 'addresses' FROM sequence.jobs WHERE job_id = $1", UUID(job["id"])
    )


async def test_erasing_again_and_erasing_whom_nobody_knows_is_said_of_each(
    tenant: Tenant, create_tenant: CreateTenant
) -> None:
    other = await create_tenant("Other")
    contact, theirs, stranger = await tenant.contact(), await other.contact(), str(new_id())
    await confirmed(tenant, contact["id"])
    first = await tenant.until_imported((await erase(tenant, contact["id"], theirs["id"], stranger))["id"])
    assert first.job["counts"] == {"erased": 1, "unknown": 2}
    again = await tenant.call("POST", f"/contacts/{contact['id']}/erase", expect=202)
    assert (await tenant.until_imported(again["id"])).job["counts"] == {"already_erased": 1}
    await tenant.refused("POST", f"/contacts/{theirs['id']}/erase", 404)
    assert not await is_gone(other, theirs["id"])


async def test_reports_of_other_jobs_lose_the_rows_about_who_is_erased_and_suppressions_stay_without_a_word(
    tenant: Tenant,
) -> None:
    async def rows(job_id: str) -> list[Any]:
        report = await tenant.ask("GET", f"/jobs/{job_id}/report", headers={"Accept": "application/x-ndjson"})
        return [json.loads(line) for line in report.text.splitlines()]

    contact, other = await tenant.contact(email="gone@people.example"), await tenant.contact()
    text = "email\nGone@People.example\nGone@People.example\nno address\n"
    imported = (await tenant.import_(text)).job
    assert len(await rows(imported["id"])) == 2
    exported = (await tenant.call("POST", "/contacts/export", json={"filter": 'email = "gone@people.example"'},
                                  expect=202))["id"]  # fmt: skip
    await tenant.until_ended(exported)
    failing = 'enrolled in "gone@people.example"'
    sequence = await tenant.sequence(name="gone@people.example")
    failed = await tenant.call("POST", f"/sequences/{sequence['id']}/enrollments/bulk", json={"filter": failing},
                               expect=202)  # fmt: skip
    await tenant.until_ended(failed["id"])
    await tenant.admin.execute(
        "UPDATE sequence.jobs SET state = 'failed', error_code = 'invalid_filter', error_detail = 'gone@people.example'"
        " WHERE job_id = $1",
        UUID(failed["id"]),
    )
    named = {"filter": 'email = "gone@people.example"', "columns": ["first_name"]}
    nameless = (await tenant.call("POST", "/contacts/export", json=named, expect=202))["id"]
    assert len((await tenant.until_imported(nameless)).report) == 1
    everybody = (await tenant.call("POST", "/contacts/export", json={}, expect=202))["id"]
    await tenant.until_ended(everybody)
    reason = {"email": "gone@people.example", "reason": "Gone asked by phone"}
    await tenant.call("POST", "/suppressions", json=reason, expect=201)
    await confirmed(tenant, contact["id"])
    await tenant.until_imported((await erase(tenant, contact["id"]))["id"])

    assert [row["value"] for row in await rows(imported["id"])] == ["no address"]
    assert await rows(exported) == []
    assert await rows(nameless) == []
    assert [row["email"] for row in await rows(everybody)] == [other["email"]]
    assert "gone@" not in json.dumps(await tenant.call("GET", "/jobs"))
    [suppression] = (await tenant.call("GET", "/suppressions"))["items"]
    assert (suppression["email"], suppression["reason"]) == ("gone@people.example", "")


async def test_an_address_with_an_apostrophe_is_found_in_reports(tenant: Tenant) -> None:
    contact = await tenant.contact(email="o'brien@people.example")
    imported = await tenant.import_("email\no'brien@people.example\no'brien@people.example\nno address\n")
    assert len(imported.report) == 2
    await confirmed(tenant, contact["id"])
    await tenant.until_imported((await erase(tenant, contact["id"]))["id"])
    response = await tenant.ask("GET", f"/jobs/{imported.job['id']}/report")
    assert "brien" not in response.text
    assert "no address" in response.text


async def test_who_is_enrolled_again_while_an_erasure_waits_is_stopped_again(tenant: Tenant) -> None:
    first = await tenant.enrolled()
    await first.taken_up()
    job = await erase(tenant, first.contact["id"])

    async def wants_to_stop(one: Enrolled) -> bool:
        return bool((await tenant.reopen(one.enrollment_id))["intent"] == "stop")

    await eventually(lambda: wants_to_stop(first), timeout=10, reason="the first is stopped")
    second = await tenant.enrolled(contact=first.contact)
    await first.ended("unenrolled")
    await eventually(lambda: wants_to_stop(second), timeout=10, reason="the second is stopped")
    await second.ended("unenrolled")
    await confirmed(tenant, first.contact["id"])
    assert (await tenant.until_imported(job["id"])).job["counts"] == {"erased": 1}


async def test_only_an_owner_erases(tenant: Tenant) -> None:
    contact = await tenant.contact()
    editor = (await tenant.call("POST", "/api-keys", json={"name": "e", "role": "editor"}, expect=201))["key"]
    response = await tenant.api.ask("POST", f"/contacts/{contact['id']}/erase", key=editor)
    assert response.status_code == 403


@pytest.mark.timeout(120)
async def test_an_erasure_killed_between_chunks_erases_everybody_and_tells_of_each_once(
    database: Database, api_vhost: str, tmp_path: Path
) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    async with (
        start(database, api_vhost, tmp_path / "first", POSTROAD_FAULT_KILL="job.chunk_committed:3", **QUICK) as first,
        http_client(timeout=60) as http,
    ):
        tenant = await new_tenant(await api_of(first, http, api_vhost), admin)
        rows = [(tenant.tenant_id, new_id(), f"p{n}@people.example") for n in range(110)]
        await admin.executemany(
            "INSERT INTO sequence.contacts (tenant_id, contact_id, email) VALUES ($1, $2, $3)", rows
        )
        ids = [str(row[1]) for row in rows]
        await confirmed(tenant, *ids)
        job = await erase(tenant, *ids[:100])
        assert await first.wait(timeout=60) == -9
    left = await admin.fetchval("SELECT count(*) FROM sequence.contacts")
    assert 10 < left < 110
    async with start(database, api_vhost, tmp_path / "second", **QUICK) as second, http_client(timeout=60) as http:
        tenant.api = await api_of(second, http, api_vhost)
        ended = await tenant.until_imported(job["id"])
        assert sorted(row["contact_id"] for row in ended.report) == sorted(ids[:100])
        assert ended.job["counts"] == {"erased": 100}
        kept = await admin.fetch("SELECT contact_id FROM sequence.contacts ORDER BY contact_id")
        assert [str(row["contact_id"]) for row in kept] == ids[100:]
    await admin.close()
