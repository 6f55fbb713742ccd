"""Imports and bulk enrollments, contacts per second, beside COPY of what they leave.

One reference is the COPY of the contacts or enrollments alone into a table without index, key or wall. Enrollments have
a second one: the COPY of all that the job leaves (enrollments, slots, report) into the tables themselves, with their
indexes, keys and checks but past the wall, in transactions of as many rows as the job's.
"""

from __future__ import annotations

import asyncio
import io
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from bench.population import add_contacts
from postroad_stack import start_stack
from postroad_stack.databases import Database
from postroad_stack.eventually import eventually
from tests.acceptance.conftest import migrated_database
from tests.integration.sequence_api.house import Tenant, api_of, csv_of, new_tenant, start

ROWS, ROUNDS = 100_000, 3
AIMS = {"enrolled": " (aim: 20 s)"}
RATIO_AIMS = {"enrolled": " (aim: 10)"}
PROGRAM = (sys.executable, "-O", "-m", "postroad_sequence_api")
SETTINGS = {"POSTROAD_SEQUENCE_API_RATE_LIMIT_PER_MINUTE": "0"}


@dataclass(frozen=True)
class Rates:
    """Rows per second of a round: of the job, from the request to its end, of the bare COPY, and of the whole one."""

    job: float
    bare: float
    whole: float | None = None


@dataclass(frozen=True)
class Done:
    """A job that has ended, and how many rows of it were done in a second."""

    job_id: UUID
    per_second: float


async def done(tenant: Tenant, path: str, rows: int, **request: Any) -> Done:
    """Ask for a job and wait for its end. Raises RuntimeError unless each row had the result that it should have."""
    began = time.perf_counter()
    job = await tenant.call("POST", path, expect=202, **request)

    async def has_ended() -> bool:
        job.update(await tenant.call("GET", f"/jobs/{job['id']}"))
        return job["ended_at"] is not None

    await eventually(has_ended, timeout=900, interval=0.1, reason="the end of the job")
    took = time.perf_counter() - began
    counts = job["counts"]
    if job["state"] != "completed" or rows not in {counts.get("enrolled"), counts.get("created")}:
        raise RuntimeError(f"{job['state']} with {counts}: the run does not count")
    return Done(UUID(job["id"]), rows / took)


async def copied_per_second(admin: asyncpg.Connection, table: str, column: str, value: UUID) -> float:
    """COPY the rows of a table that have this value into one of the same columns without index, key or wall."""
    rows = io.BytesIO()
    query = f"SELECT * FROM {table} WHERE {column} = '{value}'"
    count = int((await admin.copy_from_query(query, output=rows, format="binary", timeout=300)).split()[-1])
    rows.seek(0)
    await admin.execute(f"CREATE TABLE public.bare (LIKE {table})")
    began = time.perf_counter()
    await admin.copy_to_table("bare", schema_name="public", source=rows, format="binary", timeout=300)
    took = time.perf_counter() - began
    await admin.execute("DROP TABLE public.bare")
    return count / took


async def copied_whole_per_second(admin: asyncpg.Connection, tenant: Tenant, job_id: UUID, sequence_id: UUID) -> float:
    """COPY what a job has left into the same tables again, for another tenant, where no key is taken."""
    other = await new_tenant(tenant.api, admin)
    sequence = UUID((await other.sequence())["id"])
    await admin.execute(_SAME_JOB, other.tenant_id, job_id)
    chunks = await admin.fetchval("SELECT count(*) FROM sequence.job_reports WHERE job_id = $1", job_id)
    count = await admin.fetchval("SELECT count(*) FROM sequence.enrollments WHERE sequence_id = $1", sequence_id)
    size = -(-count // chunks)
    ids = {
        "source": tenant.tenant_id,
        "old": sequence_id,
        "job": job_id,
        "tenant": other.tenant_id,
        "sequence": sequence,
    }
    rows = [
        {
            table: await _rows(admin, query.format(**ids, number=number, size=size, start=number * size))
            for table, query in _LEFT.items()
        }
        for number in range(chunks)
    ]
    began = time.perf_counter()
    for chunk in rows:
        async with admin.transaction():
            for table, source in chunk.items():
                await admin.copy_to_table(table, schema_name="sequence", source=source, format="binary", timeout=300)
    took = time.perf_counter() - began
    copied = await admin.fetchval("SELECT count(*) FROM sequence.enrollments WHERE tenant_id = $1", other.tenant_id)
    if copied != count:
        raise RuntimeError(f"{copied} of {count} enrollments copied: the run does not count")
    return float(count / took)


async def _rows(admin: asyncpg.Connection, query: str) -> io.BytesIO:
    rows = io.BytesIO()
    await admin.copy_from_query(query, output=rows, format="binary", timeout=300)
    rows.seek(0)
    return rows


_SAME_JOB = """
INSERT INTO sequence.jobs (tenant_id, job_id, kind, state, created_by, ended_at, input_deleted_at)
SELECT $1, j.job_id, j.kind, j.state, k.api_key_id, j.ended_at, j.ended_at
FROM sequence.jobs j, sequence.api_keys k
WHERE j.job_id = $2 AND k.tenant_id = $1
"""
_LEFT = {
    "active_slots": """
        SELECT '{tenant}'::uuid, contact_id, 'sequence:{sequence}', enrollment_id FROM sequence.active_slots
        WHERE tenant_id = '{source}' AND scope = 'sequence:{old}' ORDER BY contact_id LIMIT {size} OFFSET {start}""",
    "enrollments": """
        SELECT '{tenant}'::uuid, enrollment_id, '{sequence}'::uuid, version, contact_id, intent, intent_at, traceparent,
               created_at
        FROM sequence.enrollments WHERE tenant_id = '{source}' AND sequence_id = '{old}'
        ORDER BY enrollment_id LIMIT {size} OFFSET {start}""",
    "job_reports": """
        SELECT '{tenant}'::uuid, job_id, number, rows FROM sequence.job_reports
        WHERE tenant_id = '{source}' AND job_id = '{job}' ORDER BY number LIMIT 1 OFFSET {number}""",
}


def people(count: int) -> str:
    """A file as a CRM exports it."""
    return "Email,External ID,First Name,Last Name,Company,Plan\n" + "".join(
        f"person-{n}@bench.example,crm-{n},Ada {n},Lovelace,Company {n % 20_000},{('free', 'pro', 'team')[n % 3]}\n"
        for n in range(count)
    )


async def import_rates(tenant: Tenant, file: str, rows: int) -> Rates:
    """A file into a tenant that has nobody."""
    job = await done(tenant, "/contacts/import", rows, **csv_of(file))
    bare = await copied_per_second(tenant.admin, "sequence.contacts", "tenant_id", tenant.tenant_id)
    return Rates(job.per_second, bare)


async def enroll_rates(tenant: Tenant, rows: int) -> Rates:
    """Everybody in a sequence that has nobody."""
    sequence_id = UUID((await tenant.sequence())["id"])
    job = await done(tenant, f"/sequences/{sequence_id}/enrollments/bulk", rows, json={"all": True})
    bare = await copied_per_second(tenant.admin, "sequence.enrollments", "sequence_id", sequence_id)
    whole = await copied_whole_per_second(tenant.admin, tenant, job.job_id, sequence_id)
    return Rates(job.per_second, bare, whole)


async def measure(database: Database, amqp_url: str, directory: Path, rows: int, rounds: int) -> dict[str, list[Rates]]:
    """Rounds of both, over one API process; nobody takes the enrollments up meanwhile."""
    admin = await asyncpg.connect(database.admin_dsn)
    found: dict[str, list[Rates]] = {"imported": [], "enrolled": []}
    file = people(rows)
    async with (
        start(database, amqp_url, directory / "api.log", program=PROGRAM, **SETTINGS) as process,
        httpx.AsyncClient(timeout=300) as http,
    ):
        api = await api_of(process, http, amqp_url)
        crowd = await new_tenant(api, admin)
        await add_contacts(admin, crowd.tenant_id, rows)
        for _ in range(rounds):
            found["imported"].append(await import_rates(await new_tenant(api, admin), file, rows))
            found["enrolled"].append(await enroll_rates(crowd, rows))
    await admin.close()
    return found


async def run(rows: int = ROWS, rounds: int = ROUNDS) -> dict[str, list[Rates]]:
    """Over servers of the run's own."""
    with tempfile.TemporaryDirectory() as made:
        async with start_stack() as stack, migrated_database(stack.postgres.dsn) as database:
            return await measure(database, stack.rabbitmq.url, Path(made), rows, rounds)


def show(found: dict[str, list[Rates]]) -> None:
    """Print the figures."""
    for name, rounds in found.items():
        for number, one in enumerate(rounds, 1):
            whole = "" if one.whole is None else f", {one.whole:,.0f} copied with all that the job leaves"
            print(f"  round {number}: {one.job:,.0f} {name}, {one.bare:,.0f} copied bare{whole}")
        job = statistics.median(one.job for one in rounds)
        print(f"  median: {job:,.0f} {name}/s, {ROWS / job:.1f} s for {ROWS:,}{AIMS.get(name, '')}")
        times = statistics.median(one.bare / one.job for one in rounds)
        print(f"    the bare COPY of the {name} alone is {times:.1f} times as fast{RATIO_AIMS.get(name, '')}")
        wholes = [one.whole / one.job for one in rounds if one.whole is not None]
        if wholes:
            print(f"    the COPY of all that the job leaves into the real tables {statistics.median(wholes):.1f} times")


def main() -> None:
    """Print the figures."""
    print(f"contacts/s of a job with {ROWS:,} of them, beside COPY of the rows that it leaves")
    show(asyncio.run(run()))
