"""The enrollment of many as a job: whom it enrolls, what it says of each, and what a kill on the way changes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from postroad_common.ids import new_id
from postroad_stack.databases import Database
from postroad_stack.process import Process
from tests.http import http_client
from tests.size import FULL

from .house import (
    CreateTenant,
    Imported,
    Tenant,
    api_of,
    csv_of,
    held,
    new_tenant,
    start,
    until_somebody_waits,
)

PEOPLE = 100_000 if FULL else 3_200
QUICK = {"POSTROAD_SEQUENCE_API_JOB_LEASE_SECONDS": "2"}


@dataclass(frozen=True)
class Person:
    """A contact, and what enrolling it has to come to."""

    contact_id: UUID
    external_id: str
    email: str
    result: str


async def people(tenant: Tenant, count: int) -> list[Person]:
    """Contacts, of whom every seventh is suppressed."""
    found = [
        Person(id_, f"crm-{n}", f"person-{n}@people.example", "suppressed" if n % 7 == 3 else "enrolled")
        for n, id_ in enumerate(new_id() for _ in range(count))
    ]
    await tenant.admin.executemany(
        "INSERT INTO sequence.contacts (tenant_id, contact_id, external_id, email) VALUES ($1, $2, $3, $4)",
        [(tenant.tenant_id, one.contact_id, one.external_id, one.email) for one in found],
    )
    await tenant.admin.executemany(
        "INSERT INTO sequence.suppressions (tenant_id, email, reason) VALUES ($1, $2, 'asked by phone')",
        [(tenant.tenant_id, one.email) for one in found if one.result == "suppressed"],
    )
    return found


def bulk_of(sequence: Any) -> str:
    return f"/sequences/{sequence['id']}/enrollments/bulk"


def import_of(sequence: Any) -> str:
    return f"/sequences/{sequence['id']}/enrollments/import"


async def enroll_many(tenant: Tenant, sequence: Any, **whom: Any) -> Imported:
    job = await tenant.call("POST", bulk_of(sequence), json=whom, expect=202)
    return await tenant.until_imported(job["id"])


async def enroll_file(tenant: Tenant, sequence: Any, text: str | bytes) -> Imported:
    job = await tenant.call("POST", import_of(sequence), **csv_of(text), expect=202)
    return await tenant.until_imported(job["id"])


async def enrolled_in(tenant: Tenant, sequence: Any) -> dict[str, str]:
    """Enrollments by contact; nobody has two."""
    rows = await tenant.admin.fetch(
        "SELECT contact_id, enrollment_id FROM sequence.enrollments WHERE tenant_id = $1 AND sequence_id = $2",
        tenant.tenant_id,
        UUID(sequence["id"]),
    )
    assert max(Counter(row["contact_id"] for row in rows).values(), default=1) == 1
    return {str(row["contact_id"]): str(row["enrollment_id"]) for row in rows}


@pytest.mark.parametrize("way", ["filter", pytest.param("file", marks=pytest.mark.prove)])
@pytest.mark.timeout(900 if FULL else 120)
async def test_a_bulk_enrollment_killed_on_the_way_enrolls_nobody_twice_and_tells_of_everybody(
    database: Database, api_vhost: str, tmp_path: Path, way: str
) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    kill = f"job.chunk_committed:{PEOPLE // 3000}"
    async with start(database, api_vhost, tmp_path / "first", POSTROAD_FAULT_KILL=kill, **QUICK) as first:
        tenant, sequence, crowd = await begun(first, api_vhost, admin, way)
        assert await first.wait(timeout=300) == -9
    standing = await admin.fetchrow("SELECT * FROM sequence.jobs")
    assert standing is not None
    assert standing["done"] > 0, "the kill came on the way"
    # A filter that means more than are counted has no total before the last chunk.
    assert standing["total"] is None or standing["done"] < standing["total"], "the kill came on the way"
    async with start(database, api_vhost, tmp_path / "second", **QUICK) as second, http_client(timeout=60) as http:
        tenant.api = await api_of(second, http, api_vhost)
        ended = await tenant.until_imported(str(standing["job_id"]))
        await agrees(tenant, sequence, crowd, ended)
    await admin.close()


async def begun(
    process: Process, amqp_url: str, admin: asyncpg.Connection, way: str
) -> tuple[Tenant, Any, Sequence[Person]]:
    """A crowd, of whom some are enrolled already, and its enrollment under way."""
    async with http_client(timeout=60) as http:
        tenant = await new_tenant(await api_of(process, http, amqp_url), admin)
        sequence = await tenant.sequence()
        crowd = await people(tenant, PEOPLE)
        free = (one for one in crowd if one.result == "enrolled")
        already = {str(one.contact_id) for one in islice(free, 0, 900, 9)}
        await tenant.enroll(sequence["id"], *already)
        expected = [
            Person(one.contact_id, one.external_id, one.email, "already_active")
            if str(one.contact_id) in already
            else one
            for one in crowd
        ]
        if way == "filter":
            filter_ = 'domain = "people.example" and created_at within 1h'
            await tenant.call("POST", bulk_of(sequence), json={"filter": filter_}, expect=202)
        else:
            text = "External ID,note\n" + "".join(f"{one.external_id},x\n" for one in expected)
            await tenant.call("POST", import_of(sequence), **csv_of(text), expect=202)
    return tenant, sequence, expected


async def agrees(tenant: Tenant, sequence: Any, crowd: Sequence[Person], ended: Imported) -> None:
    """The job, its report and the rows say the same as the oracle."""
    assert ended.job["counts"] == dict(Counter(one.result for one in crowd))
    assert ended.job["progress"]["done"] == ended.job["progress"]["total"]
    assert {(row["contact_id"], row["result"]) for row in ended.report} == {
        (str(one.contact_id), one.result) for one in crowd
    }
    assert len(ended.report) == len(crowd)
    running = await enrolled_in(tenant, sequence)
    assert running == {
        row["contact_id"]: row["enrollment_id"] for row in ended.report if row["enrollment_id"] is not None
    }
    assert set(running) == {str(one.contact_id) for one in crowd if one.result != "suppressed"}
    slots = await tenant.admin.fetch("SELECT contact_id, enrollment_id FROM sequence.active_slots")
    assert {str(row["contact_id"]): str(row["enrollment_id"]) for row in slots} == running


async def test_bulk_enrollment_tells_the_scheduler_of_each_and_a_second_one_enrolls_nobody(
    tenant: Tenant, outbox: Any
) -> None:
    sequence = await tenant.sequence()
    await people(tenant, 1203)
    first = await enroll_many(tenant, sequence, all=True)
    assert first.job["progress"] == {"done": 1203, "total": 1203, "unit": "contacts"}
    told = await outbox.received("enrollments.created.v1", 3)
    items = {item["contact_id"]: item["enrollment_id"] for body in told for item in body["items"]}
    assert items == await enrolled_in(tenant, sequence)
    assert sum(len(body["items"]) for body in told) == len(items)
    again = await enroll_many(tenant, sequence, all=True)
    suppressed = first.job["counts"]["suppressed"]
    assert again.job["counts"] == {"already_active": 1203 - suppressed, "suppressed": suppressed}
    assert {row["contact_id"]: row["enrollment_id"] for row in again.report if row["enrollment_id"]} == items


async def test_all_contacts_of_a_tenant_that_has_none_are_none(tenant: Tenant) -> None:
    ended = await enroll_many(tenant, await tenant.sequence(), all=True)
    assert (ended.job["counts"], ended.report) == ({}, [])


async def test_a_file_names_contacts_by_id_external_id_or_address_and_each_row_gets_its_result(tenant: Tenant) -> None:
    sequence = await tenant.sequence()
    one, two, three, four = [
        await tenant.contact(external_id=f"crm {n}", email=f"{name}@people.example")
        for n, name in enumerate(("one", "two", "three", "four"))
    ]
    await tenant.call("POST", "/suppressions", json={"email": three["email"]}, expect=201)
    [standing] = await tenant.enroll(sequence["id"], four["id"])
    stranger = str(new_id())
    rows = [
        (one["id"], "", "", "enrolled", one),
        ("", "crm 1", "nobody@people.example", "enrolled", two),
        ("", "", " ONE@people.example ", "already_active", one),
        ("", "", three["email"], "suppressed", three),
        ("", "crm 3", "", "already_active", four),
        (stranger, "crm 1", "", "unknown", None),
        ("", "", "nobody@people.example", "unknown", None),
        ("crm-7", "", "", "invalid", None),
        ("", "", "no address", "invalid", None),
        ("", "", "", "invalid", None),
    ]
    text = "Contact ID;External-Id;note;EMAIL\n" + "".join(f"{a};{b};x;{c}\n" for a, b, c, _, _ in rows)
    ended = await enroll_file(tenant, sequence, text)
    assert ended.job["counts"] == dict(Counter(row[3] for row in rows))
    assert [(row["line"], row["result"], row["contact_id"]) for row in ended.report] == [
        (line, result, contact and contact["id"]) for line, (*_, result, contact) in enumerate(rows, 2)
    ]
    assert ended.report[4]["enrollment_id"] == standing["enrollment_id"]
    assert ended.report[2]["enrollment_id"] == ended.report[0]["enrollment_id"]
    assert [row["value"] for row in ended.report[5:9]] == [stranger, "nobody@people.example", "crm-7", "no address"]
    assert all(row["reason"] for row in ended.report[5:])
    assert set(await enrolled_in(tenant, sequence)) == {one["id"], two["id"], four["id"]}


async def test_a_row_that_nobody_can_read_costs_the_others_nothing(tenant: Tenant) -> None:
    sequence, ada = await tenant.sequence(), await tenant.contact()
    text = f"email\n{'x' * 200}\x00@people.example\n{ada['email']}\n\x00\n"
    path = f"/sequences/{sequence['id']}/enrollments/import"
    ended = await tenant.until_imported((await tenant.call("POST", path, **csv_of(text), expect=202))["id"])
    assert ended.job["counts"] == {"enrolled": 1, "invalid": 2}
    named = csv_of(f"email,a\x00b\n{ada['email']},1\n")
    assert (await tenant.refused("POST", path, 422, **named))["field"] == "header"


async def test_a_contact_named_again_in_a_later_chunk_is_enrolled_once(tenant: Tenant) -> None:
    sequence = await tenant.sequence()
    crowd = [one for one in await people(tenant, 700) if one.result == "enrolled"]
    text = "email\n" + "".join(f"{one.email}\n" for one in (*crowd, *reversed(crowd)))
    ended = await enroll_file(tenant, sequence, text)
    assert ended.job["counts"] == {"enrolled": len(crowd), "already_active": len(crowd)}
    assert len(await enrolled_in(tenant, sequence)) == len(crowd)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,phone\nAda,1\n", "contact_id or external_id or email"),
        ("email,Email\na@people.example,b@people.example\n", "more than once"),
        ("", "missing"),
    ],
    ids=["nobody named", "one column twice", "nothing"],
)
async def test_a_file_whose_header_does_not_say_who_is_meant_is_refused(tenant: Tenant, text: str, said: str) -> None:
    sequence = await tenant.sequence()
    problem = await tenant.refused("POST", import_of(sequence), 422, **csv_of(text))
    assert problem["field"] == "header"
    assert said in problem["detail"]
    assert (await tenant.call("GET", "/jobs"))["items"] == []


async def test_only_an_active_sequence_takes_a_bulk_enrollment(tenant: Tenant) -> None:
    draft, paused = await tenant.draft(), await tenant.sequence()
    await tenant.call("POST", f"/sequences/{paused['id']}/pause")
    for sequence, state in ((draft, "draft"), (paused, "paused")):
        for path, request in ((bulk_of(sequence), {"json": {"all": True}}), (import_of(sequence), csv_of("email\n"))):
            problem = await tenant.refused("POST", path, 409, **request)
            assert (problem["code"], problem["state"]) == ("sequence_not_active", state)
    assert (await tenant.call("GET", "/jobs"))["items"] == []


async def test_bulk_enrollment_asked_for_twice_with_one_idempotency_key_is_one_job(tenant: Tenant) -> None:
    sequence = await tenant.sequence()
    request: dict[str, Any] = {"json": {"all": True}, "headers": {"Idempotency-Key": str(uuid4())}}
    first = await tenant.call("POST", bulk_of(sequence), **request, expect=202)
    assert (await tenant.call("POST", bulk_of(sequence), **request, expect=202))["id"] == first["id"]
    assert len((await tenant.call("GET", "/jobs"))["items"]) == 1


async def test_one_says_whom_to_enroll_in_one_way(tenant: Tenant) -> None:
    sequence, one = await tenant.sequence(), str(new_id())
    bodies: list[dict[str, Any]] = [
        {},
        {"all": False},
        {"all": 1},
        {"all": True, "contact_ids": [one]},
        {"all": True, "filter": "opened"},
        {"filter": "opened", "contact_ids": [one]},
        {"filter": None},
        {"contact_ids": []},
        {"contact_ids": [one] * 10_001},
        {"contact_ids": ["somebody"]},
    ]
    for body in bodies:
        await tenant.refused("POST", bulk_of(sequence), 422, json=body)


async def test_a_filter_is_enrolled_chunk_by_chunk_also_when_enrolling_changes_whom_it_means(tenant: Tenant) -> None:
    sequence, other = await tenant.sequence(), await tenant.sequence()
    crowd = await people(tenant, 1200)
    meant = [one for number, one in enumerate(crowd) if number % 2 == 0 and one.result == "enrolled"]
    await tenant.admin.execute(
        'UPDATE sequence.contacts SET attributes = \'{"plan": "pro"}\' WHERE contact_id = ANY ($1::uuid[])',
        [one.contact_id for one in meant],
    )
    await tenant.enroll(other["id"], *(str(one.contact_id) for one in meant[:50]))
    ended = await enroll_many(tenant, sequence, filter='attributes.plan = "pro" and not enrolled')
    assert ended.job["counts"] == {"enrolled": len(meant) - 50}
    assert ended.job["progress"] == {"done": len(meant) - 50, "total": len(meant) - 50, "unit": "contacts"}
    assert set(await enrolled_in(tenant, sequence)) == {str(one.contact_id) for one in meant[50:]}


async def test_a_filter_that_cannot_be_read_is_refused_at_once_with_the_place(tenant: Tenant) -> None:
    sequence = await tenant.sequence()
    problem = await tenant.refused("POST", bulk_of(sequence), 422, json={"filter": "opened and plan = 3"})
    assert (problem["code"], problem["field"], problem["position"]) == ("invalid_filter", "filter", 11)
    assert (await tenant.call("GET", "/jobs"))["items"] == []


async def test_contacts_named_by_id_get_a_result_each_in_the_order_named(tenant: Tenant) -> None:
    sequence = await tenant.sequence()
    crowd = await people(tenant, 1100)
    standing = crowd[0]
    await tenant.enroll(sequence["id"], str(standing.contact_id))
    stranger = str(new_id())
    ids = [str(one.contact_id) for one in reversed(crowd)]
    ended = await enroll_many(tenant, sequence, contact_ids=[stranger, *ids, ids[0]])
    assert [row["contact_id"] for row in ended.report] == [stranger, *ids]
    said = {row["contact_id"]: row["result"] for row in ended.report}
    assert said == {str(one.contact_id): one.result for one in crowd} | {
        str(standing.contact_id): "already_active",
        stranger: "unknown",
    }
    assert ended.job["counts"] == dict(Counter(said.values()))
    assert ended.job["progress"] == {"done": 1101, "total": 1101, "unit": "contacts"}
    assert "contact_ids" not in ended.job["params"], "a job that is looked at often stays small"


async def test_who_is_meant_is_a_matter_of_when_it_was_asked_for_and_a_pause_fails_what_waits(
    tenant: Tenant, create_tenant: CreateTenant
) -> None:
    sequence, timed, paused = [await tenant.sequence() for _ in range(3)]
    before, changed = await tenant.contact(), await tenant.contact()
    other = await create_tenant("Other")
    theirs = await other.contact()
    async with held(other, theirs["email"]):
        await other.call("POST", "/contacts/import", **csv_of(f"email\n{theirs['email']}\n"), expect=202)
        await until_somebody_waits(other)  # and the process does one job at a time
        jobs = [
            await tenant.call("POST", bulk_of(one), json=whom, expect=202)
            for one, whom in (
                (sequence, {"all": True}), (timed, {"filter": "updated_at < now"}), (paused, {"all": True})
            )
        ]  # fmt: skip
        await tenant.contact()
        await tenant.call("PATCH", f"/contacts/{changed['id']}", json={"first_name": "Ada"})
        await tenant.call("POST", f"/sequences/{paused['id']}/pause")
    await tenant.until_imported(jobs[0]["id"])
    await tenant.until_imported(jobs[1]["id"])
    failed = await tenant.until_ended(jobs[2]["id"])
    assert set(await enrolled_in(tenant, sequence)) == {before["id"], changed["id"]}
    assert set(await enrolled_in(tenant, timed)) == {before["id"]}, "updated before the request, not before the job"
    assert (failed["state"], failed["error"]["code"]) == ("failed", "sequence_not_active")
    assert await enrolled_in(tenant, paused) == {}
