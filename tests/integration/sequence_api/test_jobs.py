"""Jobs: durable when answered, resumed after a kill, fair, cancellable, followed, and gone in the end."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
import pytest_asyncio

from postroad_common.ids import new_id
from postroad_stack.databases import Database
from postroad_stack.eventually import eventually
from postroad_stack.process import Process
from tests.http import http_client
from tests.size import FULL

from .house import CreateTenant, Tenant, api_of, csv_of, held, new_tenant, start, until_somebody_waits

Replica = Callable[..., Process]
LONG = {"POSTROAD_SEQUENCE_API_JOB_LEASE_SECONDS": "600", "POSTROAD_SEQUENCE_API_JOB_SLICE_SECONDS": "600"}
QUICK = {"POSTROAD_SEQUENCE_API_JOB_LEASE_SECONDS": "2"}
BATCH = 1000
"""Rows of a file that are one chunk."""
KILLS = ["job.claimed:1", "job.chunk_committed:1"] if FULL else ["job.chunk_committed:1"]


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(timeout=60) as client:
        yield client


@pytest.fixture
def replica(module_database: Database, api_vhost: str, tmp_path: Path) -> Iterator[Replica]:
    """Starts API processes over the module's database, where nobody else does jobs."""
    started: list[Process] = []

    def start_one(**settings: str) -> Process:
        started.append(start(module_database, api_vhost, tmp_path / f"api-{len(started)}", **{**QUICK, **settings}))
        return started[-1]

    yield start_one
    for process in started:
        asyncio.run(process.kill())


@pytest_asyncio.fixture
async def own_admin(module_database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(module_database.admin_dsn)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
def idle(module_database: Database, api_vhost: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A process that does no jobs, for tests that leave theirs behind, and takes small files only."""
    settings = {"POSTROAD_SEQUENCE_API_JOB_WORKERS": "0", "POSTROAD_SEQUENCE_API_IMPORT_BYTES": "3000000"}
    process = start(module_database, api_vhost, tmp_path_factory.mktemp("idle") / "log", **settings)
    yield process
    asyncio.run(process.kill())


@pytest_asyncio.fixture
async def quiet(
    idle: Process, http: httpx.AsyncClient, api_vhost: str, own_admin: asyncpg.Connection
) -> AsyncIterator[Tenant]:
    """A tenant whose jobs wait until the end of the test, and are not left to the replicas of another."""
    tenant = await new_tenant(await api_of(idle, http, api_vhost), own_admin)
    yield tenant
    await own_admin.execute(
        "UPDATE sequence.jobs SET state = 'cancelled', ended_at = postroad.now()"
        " WHERE tenant_id = $1 AND ended_at IS NULL",
        tenant.tenant_id,
    )


async def moved_to(tenant: Tenant, process: Process, http: httpx.AsyncClient) -> None:
    """Let the tenant call another process."""
    tenant.api = await api_of(process, http, tenant.api.amqp_url)


def people(count: int, name: str = "p") -> str:
    return "email,external_id\n" + "".join(f"{name}{n}@people.example,{name}-{n}\n" for n in range(count))


async def begin(tenant: Tenant, text: str) -> Any:
    return await tenant.call("POST", "/contacts/import", **csv_of(text), expect=202)


async def job_row(tenant: Tenant) -> asyncpg.Record:
    [row] = await tenant.admin.fetch("SELECT * FROM sequence.jobs WHERE tenant_id = $1", tenant.tenant_id)
    return row


async def standing(tenant: Tenant) -> int:
    return int(
        await tenant.admin.fetchval("SELECT count(*) FROM sequence.contacts WHERE tenant_id = $1", tenant.tenant_id)
    )


IN_THE_SECOND_CHUNK = f"p{BATCH + BATCH // 2}@people.example"
"""Who holds this contact keeps an import of `people` there: it is neither at its beginning nor at its end."""


async def test_a_job_goes_on_where_its_process_was_killed_or_told_to_stop_and_nothing_is_done_twice(
    replica: Replica, http: httpx.AsyncClient, api_vhost: str, own_admin: asyncpg.Connection
) -> None:
    first = replica(POSTROAD_FAULT_KILL="job.queued:1")
    tenant = await new_tenant(await api_of(first, http, api_vhost), own_admin)
    await tenant.contact(email=IN_THE_SECOND_CHUNK)
    with pytest.raises(httpx.TransportError):
        await begin(tenant, people(3 * BATCH))
    assert await first.wait(timeout=30) == -9
    for point in KILLS:
        assert await replica(POSTROAD_FAULT_KILL=point).wait(timeout=60) == -9
    assert (await job_row(tenant))["done"] > 0

    async with held(tenant, IN_THE_SECOND_CHUNK):
        stopped = replica(**LONG)
        await until_somebody_waits(tenant)
        ending = asyncio.create_task(stopped.terminate(timeout=30))
        await eventually(lambda: '"draining"' in stopped.log.read_text(), reason="the process is told")
    assert await ending == 0
    left = await job_row(tenant)
    assert (left["state"], left["lease_until"]) == ("running", None), "it is given back at once"
    assert json.loads(left["counts"]) == {"rows": 2 * BATCH, "created": 2 * BATCH - 1, "updated": 1}
    assert await standing(tenant) == 2 * BATCH

    await moved_to(tenant, replica(**LONG), http)
    imported = await tenant.until_imported(str(left["job_id"]))
    assert imported.job["counts"] == {"rows": 3 * BATCH, "created": 3 * BATCH - 1, "updated": 1}
    assert imported.report == []
    written_once = "SELECT count(*) FROM sequence.contacts WHERE tenant_id = $1 AND revision = 1"
    assert await own_admin.fetchval(written_once, tenant.tenant_id) == 3 * BATCH - 1


async def test_who_has_lost_the_lease_writes_nothing_more(tenant: Tenant) -> None:
    """As after a suspension: the fence has moved on, and the chunk in hand is rolled back."""
    await tenant.contact(email=IN_THE_SECOND_CHUNK)
    async with held(tenant, IN_THE_SECOND_CHUNK):
        job = await begin(tenant, people(3 * BATCH))
        await until_somebody_waits(tenant)
        await tenant.admin.execute(
            "UPDATE sequence.jobs SET fence = fence + 7, lease_until = postroad.now() + interval '1 s'"
            " WHERE job_id = $1",
            UUID(job["id"]),
        )
    imported = await tenant.until_imported(job["id"])
    assert imported.counts == (3 * BATCH - 1, 1, 0, 0), "and no row counts twice"
    assert imported.report == []
    assert any("job lost" in line and job["id"] in line for line in tenant.api.log().splitlines())


async def test_a_job_that_takes_its_process_down_again_and_again_is_given_up(tenant: Tenant) -> None:
    job_id = await tenant.admin.fetchval(
        "INSERT INTO sequence.jobs (tenant_id, job_id, kind, state, created_by, started_at, claims)"
        " SELECT tenant_id, $2, 'import', 'running', api_key_id, postroad.now(), 5 FROM sequence.api_keys"
        " WHERE tenant_id = $1 RETURNING job_id",
        tenant.tenant_id,
        new_id(),
    )
    ended = await tenant.until_ended(str(job_id))
    assert (ended["state"], ended["error"]["code"]) == ("failed", "gave_up")


async def test_a_small_job_does_not_wait_for_a_big_one_of_another_tenant_or_of_the_same(
    tenant: Tenant, create_tenant: CreateTenant
) -> None:
    other = await create_tenant("Other")
    await tenant.contact(email=IN_THE_SECOND_CHUNK)
    async with held(tenant, IN_THE_SECOND_CHUNK):
        big = await begin(tenant, people(8 * BATCH))
        await until_somebody_waits(tenant)
        small = [(tenant, await begin(tenant, people(10, "q"))), (other, await begin(other, people(10)))]
    for whose, job in small:
        imported = await whose.until_imported(job["id"])
        assert imported.counts == (10, 0, 0, 0)
    assert (await tenant.until_imported(big["id"])).counts == (8 * BATCH - 1, 1, 0, 0)
    ended = "SELECT ended_at FROM sequence.jobs WHERE job_id = $1"
    last = await tenant.admin.fetchval(ended, UUID(big["id"]))
    for _, job in small:
        assert await tenant.admin.fetchval(ended, UUID(job["id"])) < last


async def test_a_cancelled_job_ends_after_its_chunk_and_what_it_did_stays(tenant: Tenant) -> None:
    await tenant.contact(email=IN_THE_SECOND_CHUNK)
    async with held(tenant, IN_THE_SECOND_CHUNK):
        job = await begin(tenant, people(3 * BATCH))
        await until_somebody_waits(tenant)
        assert (await tenant.call("POST", f"/jobs/{job['id']}/cancel"))["cancel_requested_at"] is not None
    ended = await tenant.until_ended(job["id"])
    assert ended["state"] == "cancelled"
    assert ended["counts"] == {"rows": 2 * BATCH, "created": 2 * BATCH - 1, "updated": 1}
    assert await standing(tenant) == 2 * BATCH
    assert (await tenant.call("POST", f"/jobs/{job['id']}/cancel"))["state"] == "cancelled", "again: the same"


async def test_a_job_that_has_completed_is_not_cancelled_any_more(tenant: Tenant) -> None:
    imported = await tenant.import_(people(1))
    problem = await tenant.refused("POST", f"/jobs/{imported.job['id']}/cancel", 409)
    assert problem["code"] == "illegal_transition"


async def test_jobs_are_listed_newest_first_and_found_by_kind_and_state(quiet: Tenant) -> None:
    jobs = [await begin(quiet, people(1)) for _ in range(3)]
    cancelled = await quiet.call("POST", f"/jobs/{jobs[1]['id']}/cancel")
    assert cancelled["state"] == "cancelled", "at once, since nobody has it in hand"
    page = await quiet.call("GET", "/jobs", params={"limit": 2, "kind": "import"})
    assert [job["id"] for job in page["items"]] == [jobs[2]["id"], jobs[1]["id"]]
    page = await quiet.call("GET", "/jobs", params={"after": page["next"]})
    assert [job["id"] for job in page["items"]] == [jobs[0]["id"]]
    page = await quiet.call("GET", "/jobs", params={"state": "cancelled"})
    assert [job["id"] for job in page["items"]] == [jobs[1]["id"]]


async def test_too_many_jobs_at_once_are_refused_until_one_has_ended(quiet: Tenant) -> None:
    jobs = [await begin(quiet, people(1)) for _ in range(20)]
    problem = await quiet.refused("POST", "/contacts/import", 429, **csv_of(people(1)))
    assert (problem["code"], problem["limit"]) == ("too_many_jobs", 20)
    await quiet.call("POST", f"/jobs/{jobs[0]['id']}/cancel")
    await begin(quiet, people(1))


async def test_an_accepted_job_says_where_it_is(quiet: Tenant) -> None:
    response = await quiet.ask("POST", "/contacts/import", **csv_of(people(1)))
    assert response.headers["Location"] == f"/v1/jobs/{response.json()['id']}"
    assert response.json()["state"] == "queued"


async def test_the_same_upload_with_one_idempotency_key_is_one_job(quiet: Tenant) -> None:
    request = csv_of(people(1))
    request["headers"]["Idempotency-Key"] = "import-1"
    first = await quiet.call("POST", "/contacts/import", **request, expect=202)
    assert (await quiet.call("POST", "/contacts/import", **request, expect=202))["id"] == first["id"]
    assert len((await quiet.call("GET", "/jobs"))["items"]) == 1


async def test_an_upload_that_breaks_off_is_no_job_and_leaves_nothing(tenant: Tenant) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield b"email\n" + b"a@people.example\n" * 100_000
        raise ConnectionError("the client is gone")

    with suppress(ConnectionError):
        await tenant.ask("POST", "/contacts/import", content=half(), headers={"Content-Type": "text/csv"})
    assert (await tenant.call("GET", "/jobs"))["items"] == []
    over = "UPDATE sequence.jobs SET lease_until = postroad.now() - interval '1 s' WHERE tenant_id = $1"
    await tenant.admin.execute(over, tenant.tenant_id)

    async def nothing_is_left() -> bool:
        left = """SELECT (SELECT count(*) FROM sequence.jobs WHERE tenant_id = $1)
                       + (SELECT count(*) FROM sequence.job_input WHERE tenant_id = $1)"""
        return not await tenant.admin.fetchval(left, tenant.tenant_id)

    await eventually(nothing_is_left, timeout=40, interval=0.2, reason="no row of the upload")


async def test_a_file_beyond_the_limit_is_refused_and_nothing_of_it_is_kept(quiet: Tenant) -> None:
    problem = await quiet.refused("POST", "/contacts/import", 413, **csv_of("email,a\n" + f"a,{'x' * 998}\n" * 3500))
    assert problem["limit"] == 3_000_000
    for table in ("job_input", "jobs"):
        kept = f"SELECT count(*) FROM sequence.{table} WHERE tenant_id = $1"
        assert await quiet.admin.fetchval(kept, quiet.tenant_id) == 0


async def test_a_job_is_followed_by_server_sent_events_to_its_end(tenant: Tenant) -> None:
    await tenant.contact(email=IN_THE_SECOND_CHUNK)
    events: list[tuple[str, Any]] = []
    async with held(tenant, IN_THE_SECOND_CHUNK):
        job = await begin(tenant, people(3 * BATCH))
        await until_somebody_waits(tenant)
        following = asyncio.create_task(follow(tenant, job["id"], events))
        await eventually(lambda: events, reason="how far it is")
    await asyncio.wait_for(following, 60)
    assert [name for name, _ in events[:-1]] == ["progress"] * (len(events) - 1)
    assert events[0][1]["state"] == "running"
    assert events[-1][0] == "ended"
    assert events[-1][1]["state"] == "completed"
    done = [data["progress"]["done"] for _, data in events]
    assert done == sorted(done)
    assert 0 < done[0] < done[-1]
    late: list[tuple[str, Any]] = []
    await follow(tenant, job["id"], late)
    assert [name for name, _ in late] == ["ended"], "whoever comes late hears the end"


async def test_a_job_that_waits_is_followed_too(quiet: Tenant) -> None:
    job, events = await begin(quiet, people(1)), list[tuple[str, Any]]()
    following = asyncio.create_task(follow(quiet, job["id"], events))
    await eventually(lambda: events, reason="how far it is")
    await quiet.call("POST", f"/jobs/{job['id']}/cancel")
    await asyncio.wait_for(following, 60)
    assert [(name, data["state"]) for name, data in events] == [("progress", "queued"), ("ended", "cancelled")]


async def follow(tenant: Tenant, job_id: str, found: list[tuple[str, Any]]) -> None:
    """Add the events of a job by name and data, until the server ends them."""
    fields: dict[str, str] = {}
    headers = {"Authorization": f"Bearer {tenant.key}"}
    async with tenant.api.http.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        async for line in response.aiter_lines():
            if not line and fields:
                assert fields["id"]
                found.append((fields["event"], json.loads(fields["data"])))
                fields = {}
            elif line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value


async def test_no_cell_of_a_downloaded_report_is_a_formula(tenant: Tenant) -> None:
    """OWASP, CSV injection: spreadsheets run cells that begin with =, +, - or @."""
    dangerous = ["=cmd|'/c calc'!A1", "+1-2", "-2+3", "@SUM(A1)", '=HYPERLINK("http://x")']
    lines = io.StringIO()
    csv.writer(lines).writerows([["email"], *([value] for value in dangerous)])
    imported = await tenant.import_(lines.getvalue())
    assert [row["value"] for row in imported.report] == dangerous, "JSON is no spreadsheet"
    response = await tenant.ask("GET", f"/jobs/{imported.job['id']}/report")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(response.text)))
    assert rows[0] == ["line", "result", "field", "reason", "value"]
    assert [row[4] for row in rows[1:]] == [f"'{value}" for value in dangerous]


async def test_what_a_job_needed_is_deleted_at_its_end_and_its_report_after_its_time(tenant: Tenant) -> None:
    imported = await tenant.import_("email\nno address\na@people.example\n")
    path = f"/jobs/{imported.job['id']}/report"

    async def left() -> tuple[int, int, int]:
        tables = ("job_input", "job_contacts", "job_reports")
        count = "SELECT count(*) FROM sequence.{} WHERE tenant_id = $1"
        counts = [await tenant.admin.fetchval(count.format(table), tenant.tenant_id) for table in tables]
        return counts[0], counts[1], counts[2]

    async def has(*wanted: int) -> bool:
        return await left() == wanted

    await eventually(lambda: has(0, 0, 1), timeout=40, interval=0.2, reason="the file is deleted")
    assert (await tenant.ask("GET", path)).status_code == 200
    older = "UPDATE sequence.jobs SET ended_at = ended_at - interval '31 days' WHERE tenant_id = $1"
    await tenant.admin.execute(older, tenant.tenant_id)
    await eventually(lambda: has(0, 0, 0), timeout=40, interval=0.2, reason="the report is deleted")
    assert (await tenant.refused("GET", path, 409))["code"] == "report_deleted"
    assert (await tenant.call("GET", f"/jobs/{imported.job['id']}"))["counts"]["created"] == 1


async def test_a_job_that_does_not_exist_is_404_everywhere(tenant: Tenant) -> None:
    for method, tail in (("GET", ""), ("POST", "/cancel"), ("GET", "/events"), ("GET", "/report")):
        await tenant.refused(method, f"/jobs/{UUID(int=new_id().int)}{tail}", 404)
