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

from .house import Tenant, api_of, csv_of, new_tenant, start

Replica = Callable[..., Process]
LONG = {"POSTROAD_SEQUENCE_API_JOB_LEASE_SECONDS": "600"}
QUICK = {"POSTROAD_SEQUENCE_API_JOB_SLICE_SECONDS": "0.05", "POSTROAD_SEQUENCE_API_JOB_LEASE_SECONDS": "2"}


@pytest_asyncio.fixture
async def own_admin(database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.admin_dsn)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=60) as client:
        yield client


@pytest.fixture
def replica(database: Database, vhost: str, tmp_path: Path) -> Iterator[Replica]:
    """Starts API processes over one database of the test's own."""
    started: list[Process] = []

    def start_one(**settings: str) -> Process:
        started.append(start(database, vhost, tmp_path / f"api-{len(started)}", **{**QUICK, **settings}))
        return started[-1]

    yield start_one
    for process in started:
        asyncio.run(process.kill())


@pytest_asyncio.fixture
async def home(replica: Replica, http: httpx.AsyncClient, vhost: str, own_admin: asyncpg.Connection) -> Tenant:
    """A tenant whose only process does no jobs: they stay as they are."""
    process = replica(POSTROAD_SEQUENCE_API_JOB_WORKERS="0")
    return await new_tenant(await api_of(process, http, vhost), own_admin)


@pytest.fixture(scope="module")
def idle(
    module_database: Database, module_vhost: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Process, Database]]:
    """A process that does no jobs, for tests that leave theirs behind, and takes small files only."""
    settings = {"POSTROAD_SEQUENCE_API_JOB_WORKERS": "0", "POSTROAD_SEQUENCE_API_IMPORT_BYTES": "3000000"}
    process = start(module_database, module_vhost, tmp_path_factory.mktemp("idle") / "log", **settings)
    yield process, module_database
    asyncio.run(process.kill())


@pytest_asyncio.fixture
async def quiet(idle: tuple[Process, Database], http: httpx.AsyncClient, module_vhost: str) -> AsyncIterator[Tenant]:
    """A tenant whose jobs wait for ever."""
    process, database = idle
    connection = await asyncpg.connect(database.admin_dsn)
    yield await new_tenant(await api_of(process, http, module_vhost), connection)
    await connection.close()


async def moved_to(tenant: Tenant, process: Process, http: httpx.AsyncClient) -> None:
    """Let the tenant call another process."""
    tenant.api = await api_of(process, http, tenant.api.amqp_url)


def people(count: int, name: str = "p") -> str:
    return "email,external_id\n" + "".join(f"{name}{n}@people.example,{name}-{n}\n" for n in range(count))


async def begin(tenant: Tenant, text: str) -> Any:
    return await tenant.call("POST", "/contacts/import", **csv_of(text), expect=202)


async def job_row(own_admin: asyncpg.Connection) -> asyncpg.Record:
    row = await own_admin.fetchrow("SELECT * FROM sequence.jobs")
    assert row is not None
    return row


@pytest.mark.parametrize(
    "point", ["job.queued:1", pytest.param("job.claimed:1", marks=pytest.mark.prove), "job.chunk_committed:2"]
)
async def test_a_job_whose_process_is_killed_is_ended_by_another_and_nothing_is_done_twice(
    replica: Replica, http: httpx.AsyncClient, vhost: str, own_admin: asyncpg.Connection, point: str
) -> None:
    first = replica(POSTROAD_FAULT_KILL=point)
    tenant = await new_tenant(await api_of(first, http, vhost), own_admin)
    with suppress(httpx.TransportError):
        await begin(tenant, people(3000))
        assert point != "job.queued:1", "the process was to die before its answer"
    assert await first.wait(timeout=30) == -9
    await moved_to(tenant, replica(), http)
    imported = await tenant.until_imported(str((await job_row(own_admin))["job_id"]))
    assert imported.job["counts"] == {"rows": 3000, "created": 3000}
    assert imported.report == []
    assert await own_admin.fetchval("SELECT count(*) FROM sequence.contacts WHERE revision = 1") == 3000


async def test_a_process_that_is_told_to_stop_ends_its_chunk_and_gives_the_job_back_at_once(
    replica: Replica, http: httpx.AsyncClient, vhost: str, own_admin: asyncpg.Connection
) -> None:
    first = replica(**LONG, POSTROAD_SEQUENCE_API_JOB_SLICE_SECONDS="600")
    tenant = await new_tenant(await api_of(first, http, vhost), own_admin)
    job = await begin(tenant, people(20_000))
    await eventually(lambda: _done(own_admin), timeout=30, reason="a chunk")
    assert await first.terminate(timeout=30) == 0
    left = await job_row(own_admin)
    assert (left["state"], left["lease_until"]) == ("running", None)
    assert 0 < left["done"] < left["total"]
    assert await own_admin.fetchval("SELECT count(*) FROM sequence.contacts") == json.loads(left["counts"])["created"]
    await moved_to(tenant, replica(**LONG), http)
    assert (await tenant.until_imported(job["id"])).job["counts"] == {"rows": 20_000, "created": 20_000}


async def _done(own_admin: asyncpg.Connection) -> int:
    return int(await own_admin.fetchval("SELECT coalesce(sum(done) FILTER (WHERE chunks > 0), 0) FROM sequence.jobs"))


async def test_who_has_lost_the_lease_writes_nothing_more(
    replica: Replica, http: httpx.AsyncClient, vhost: str, own_admin: asyncpg.Connection
) -> None:
    """As after a suspension: the fence has moved on, and the chunk in hand is rolled back."""
    process = replica(POSTROAD_SEQUENCE_API_JOB_SLICE_SECONDS="600")
    tenant = await new_tenant(await api_of(process, http, vhost), own_admin)
    job = await begin(tenant, people(20_000))
    await eventually(lambda: _done(own_admin), timeout=30, reason="a chunk")
    await own_admin.execute("UPDATE sequence.jobs SET fence = fence + 7, lease_until = postroad.now() + interval '1 s'")
    imported = await tenant.until_imported(job["id"])
    assert imported.job["counts"] == {"rows": 20_000, "created": 20_000}, "and no row counts twice"
    assert imported.report == []
    assert "job lost" in process.log.read_text()


async def test_a_job_that_takes_its_process_down_again_and_again_is_given_up(
    home: Tenant, replica: Replica, own_admin: asyncpg.Connection
) -> None:
    job = await begin(home, people(3))
    await own_admin.execute("UPDATE sequence.jobs SET state = 'running', started_at = postroad.now(), claims = 5")
    replica()
    ended = await home.until_ended(job["id"])
    assert (ended["state"], ended["error"]["code"]) == ("failed", "gave_up")


async def test_a_small_job_does_not_wait_for_a_big_one_of_another_tenant_or_of_the_same(
    home: Tenant, replica: Replica, own_admin: asyncpg.Connection
) -> None:
    other = await new_tenant(home.api, own_admin, "Other")
    big = await begin(home, people(20_000))
    small = [await begin(home, people(10, "q")), await begin(other, people(10))]
    replica()
    for tenant, job in zip((home, other), small, strict=True):
        assert (await tenant.until_imported(job["id"])).counts == (10, 0, 0, 0)
    assert (await home.call("GET", f"/jobs/{big['id']}"))["ended_at"] is None
    assert (await home.until_imported(big["id"])).counts == (20_000, 0, 0, 0)


async def test_a_cancelled_job_ends_after_its_chunk_and_what_it_did_stays(
    home: Tenant, replica: Replica, own_admin: asyncpg.Connection
) -> None:
    running, waiting = await begin(home, people(20_000)), await begin(home, people(5, "q"))
    assert (await home.call("POST", f"/jobs/{waiting['id']}/cancel"))["state"] == "cancelled"
    replica()
    await eventually(lambda: _done(own_admin), timeout=30, reason="a chunk")
    assert (await home.call("POST", f"/jobs/{running['id']}/cancel"))["cancel_requested_at"] is not None
    ended = await home.until_ended(running["id"])
    assert ended["state"] == "cancelled"
    assert 0 < ended["counts"]["created"] < 20_000
    assert await own_admin.fetchval("SELECT count(*) FROM sequence.contacts") == ended["counts"]["created"]
    assert (await home.call("POST", f"/jobs/{running['id']}/cancel"))["state"] == "cancelled", "again: the same"


async def test_a_job_that_has_completed_is_not_cancelled_any_more(tenant: Tenant) -> None:
    imported = await tenant.import_(people(1))
    problem = await tenant.refused("POST", f"/jobs/{imported.job['id']}/cancel", 409)
    assert problem["code"] == "illegal_transition"


async def test_jobs_are_listed_newest_first_and_found_by_kind_and_state(quiet: Tenant) -> None:
    jobs = [await begin(quiet, people(1)) for _ in range(3)]
    await quiet.call("POST", f"/jobs/{jobs[1]['id']}/cancel")
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


async def test_an_upload_that_breaks_off_is_no_job_and_leaves_nothing(
    home: Tenant, replica: Replica, own_admin: asyncpg.Connection
) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield b"email\n" + b"a@people.example\n" * 100_000
        raise ConnectionError("the client is gone")

    with suppress(ConnectionError):
        await home.ask("POST", "/contacts/import", content=half(), headers={"Content-Type": "text/csv"})
    assert (await home.call("GET", "/jobs"))["items"] == []
    await own_admin.execute("UPDATE sequence.jobs SET lease_until = postroad.now() - interval '1 s'")
    replica()

    async def nothing_is_left() -> bool:
        return not await own_admin.fetchval("SELECT (SELECT count(*) FROM sequence.jobs)"
                                        " + (SELECT count(*) FROM sequence.job_input)")  # fmt: skip

    await eventually(nothing_is_left, timeout=30, reason="no row of the upload")


async def test_a_file_beyond_the_limit_is_refused_and_nothing_of_it_is_kept(quiet: Tenant) -> None:
    problem = await quiet.refused("POST", "/contacts/import", 413, **csv_of("email,a\n" + f"a,{'x' * 998}\n" * 3500))
    assert problem["limit"] == 3_000_000
    for table in ("job_input", "jobs"):
        kept = f"SELECT count(*) FROM sequence.{table} WHERE tenant_id = $1"
        assert await quiet.admin.fetchval(kept, quiet.tenant_id) == 0


async def test_a_job_is_followed_by_server_sent_events_to_its_end(home: Tenant, replica: Replica) -> None:
    job = await begin(home, people(5000))
    following = asyncio.create_task(follow(home, job["id"]))
    await asyncio.sleep(0)
    replica()
    events = await asyncio.wait_for(following, 60)
    assert [name for name, _ in events[:-1]] == ["progress"] * (len(events) - 1)
    assert events[0][1]["state"] == "queued"
    assert events[-1][0] == "ended"
    assert events[-1][1]["state"] == "completed"
    done = [data["progress"]["done"] for _, data in events]
    assert done == sorted(done)
    assert [name for name, _ in await follow(home, job["id"])] == ["ended"], "whoever comes late hears the end"


async def follow(tenant: Tenant, job_id: str) -> list[tuple[str, Any]]:
    """The events of a job by name and data, until the server ends them."""
    found: list[tuple[str, Any]] = []
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
    return found


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

    await eventually(lambda: has(0, 0, 1), timeout=40, reason="the file is deleted")
    assert (await tenant.ask("GET", path)).status_code == 200
    older = "UPDATE sequence.jobs SET ended_at = ended_at - interval '31 days' WHERE tenant_id = $1"
    await tenant.admin.execute(older, tenant.tenant_id)
    await eventually(lambda: has(0, 0, 0), timeout=40, reason="the report is deleted")
    assert (await tenant.refused("GET", path, 409))["code"] == "report_deleted"
    assert (await tenant.call("GET", f"/jobs/{imported.job['id']}"))["counts"]["created"] == 1


async def test_a_job_that_does_not_exist_is_404_everywhere(tenant: Tenant) -> None:
    for method, tail in (("GET", ""), ("POST", "/cancel"), ("GET", "/events"), ("GET", "/report")):
        await tenant.refused(method, f"/jobs/{UUID(int=new_id().int)}{tail}", 404)
