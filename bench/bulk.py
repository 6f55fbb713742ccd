"""Imports and bulk enrollments, contacts per second, each beside the bare COPY of the rows that it leaves."""

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
AIMS = {"enrolled": " (aim: 20 s, 10 times)"}
PROGRAM = (sys.executable, "-O", "-m", "postroad_sequence_api")
SETTINGS = {"POSTROAD_SEQUENCE_API_RATE_LIMIT_PER_MINUTE": "0"}


@dataclass(frozen=True)
class Rates:
    """Rows per second of a round: of the job, from the request to its end, and of the bare COPY."""

    job: float
    copy: float


async def per_second(tenant: Tenant, path: str, rows: int, **request: Any) -> float:
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
    return rows / took


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


def people(count: int) -> str:
    """A file as a CRM exports it."""
    return "Email,External ID,First Name,Last Name,Company,Plan\n" + "".join(
        f"person-{n}@bench.example,crm-{n},Ada {n},Lovelace,Company {n % 20_000},{('free', 'pro', 'team')[n % 3]}\n"
        for n in range(count)
    )


async def import_rates(tenant: Tenant, file: str, rows: int) -> Rates:
    """A file into a tenant that has nobody."""
    job = await per_second(tenant, "/contacts/import", rows, **csv_of(file))
    return Rates(job, await copied_per_second(tenant.admin, "sequence.contacts", "tenant_id", tenant.tenant_id))


async def enroll_rates(tenant: Tenant, rows: int) -> Rates:
    """Everybody in a sequence that has nobody."""
    sequence_id = (await tenant.sequence())["id"]
    job = await per_second(tenant, f"/sequences/{sequence_id}/enrollments/bulk", rows, json={"all": True})
    return Rates(job, await copied_per_second(tenant.admin, "sequence.enrollments", "sequence_id", UUID(sequence_id)))


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
        for number, rates in enumerate(rounds, 1):
            print(f"  round {number}: {rates.job:,.0f} {name}, {rates.copy:,.0f} copied")
        job, copy = (statistics.median(side) for side in zip(*((one.job, one.copy) for one in rounds), strict=True))
        times = statistics.median(one.copy / one.job for one in rounds)
        took = f"{ROWS / job:.1f} s for {ROWS:,}, {times:.1f} times the COPY{AIMS.get(name, '')}"
        print(f"  median: {job:,.0f} {name}/s beside {copy:,.0f}/s: {took}")


def main() -> None:
    """Print the figures."""
    print(f"contacts/s of a job with {ROWS:,} of them, beside the bare COPY of the rows that it leaves")
    show(asyncio.run(run()))
