"""A file of a million rows as people have them, killed twice on the way: nothing lost, nothing twice, little memory."""

import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import pytest

from postroad_stack.databases import Database
from postroad_stack.eventually import eventually
from postroad_stack.process import Process
from tests.http import http_client
from tests.size import FULL, SEED

from .house import Tenant, api_of, new_tenant, start
from .messy_people import MessyFile, Person

ROWS = 1_000_000 if FULL else 5_000
MOST_GROWTH = 48 * 2**20
"""Of a process's memory, whatever the file's size: less than half of the whole file's."""


def memory(process: Process, name: str) -> int:
    """A line of the process's status in bytes: VmRSS is now, VmHWM the most there was."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {name}")


async def parts(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as opened:
        while part := opened.read(2**18):
            yield part


class Replica:
    """An API process of the proof, and how much memory it came to need."""

    def __init__(self, database: Database, amqp_url: str, log: Path, **settings: str) -> None:
        self.process = start(database, amqp_url, log, POSTROAD_SEQUENCE_API_JOB_LEASE_SECONDS="2", **settings)

    async def tenant(self, http: httpx.AsyncClient, tenant: Tenant) -> Tenant:
        """The tenant as it calls this one."""
        tenant.api = await api_of(self.process, http, tenant.api.amqp_url)
        self.at_first = memory(self.process, "VmRSS")
        return tenant

    @property
    def growth(self) -> int:
        return memory(self.process, "VmHWM") - self.at_first


@pytest.mark.parametrize("rows", [ROWS])
@pytest.mark.timeout(1800 if FULL else 300)
async def test_a_messy_file_killed_twice_on_the_way_goes_in_as_its_oracle_says(
    database: Database, api_vhost: str, tmp_path: Path, rows: int
) -> None:
    file = MessyFile(tmp_path / "people.csv", rows, SEED).write()
    size = file.path.stat().st_size
    print(f"{rows:,} rows, {size / 2**20:.0f} MiB, seed {SEED}")
    admin = await asyncpg.connect(database.admin_dsn)
    faults = ["job.chunk_committed:2", "job.chunk_committed:2", ""]
    if FULL:
        faults = [f"job.chunk_committed:{rows // 3000}", f"job.chunk_committed:{rows // 4000}", ""]
    tenant: Tenant | None = None
    job: dict[str, Any] = {}
    seconds, growths = 0.0, []
    for number, fault in enumerate(faults):
        log = tmp_path / f"api-{number}.log"
        replica = Replica(database, api_vhost, log, **({"POSTROAD_FAULT_KILL": fault} if fault else {}))
        async with replica.process, http_client(timeout=300) as http:
            api = await api_of(replica.process, http, api_vhost)
            tenant = await replica.tenant(http, tenant or await new_tenant(api, admin))
            began = time.monotonic()
            if not job:
                headers = {"Content-Type": "text/csv"}
                job = await tenant.call(
                    "POST", "/contacts/import", content=parts(file.path), headers=headers, expect=202
                )
                print(f"uploaded in {time.monotonic() - began:.1f} s")
            growth = await until_over(replica, admin, job["id"], timeout=900 if FULL else 120)
            growths.append(growth)
            seconds += time.monotonic() - began
            if not fault:
                imported = await tenant.until_imported(job["id"])
                await check(file, tenant, admin, imported.job, imported.report)
    print(f"{rows / seconds:,.0f} rows/s, three processes and two kills included; memory grew by at most "
          f"{max(growths) / 2**20:.0f} MiB")  # fmt: skip
    assert max(growths) < MOST_GROWTH
    assert not FULL or size > 2 * MOST_GROWTH
    await admin.close()


async def until_over(replica: Replica, admin: asyncpg.Connection, job_id: str, *, timeout: float) -> int:
    """Wait until the process is dead or the job at its end; by how much the process had grown."""
    growth = 0

    async def over() -> bool:
        nonlocal growth
        if replica.process.returncode is not None:
            assert replica.process.returncode == -9, replica.process.log_tail()
            return True
        try:
            growth = max(growth, replica.growth)
        except (FileNotFoundError, AssertionError, ProcessLookupError):
            return False
        return bool(await admin.fetchval("SELECT ended_at IS NOT NULL FROM sequence.jobs WHERE job_id = $1", job_id))

    await eventually(over, timeout=timeout, interval=0.1, reason="the process's death or the job's end")
    return growth


async def check(file: MessyFile, tenant: Tenant, admin: asyncpg.Connection, job: Any, report: list[Any]) -> None:
    """Everything against the oracle: counts, each row of the report, each contact."""
    assert job["counts"] == file.counts
    assert job["progress"] == {"done": file.path.stat().st_size, "total": file.path.stat().st_size, "unit": "bytes"}
    said = Counter((row["line"], row["result"], row["field"]) for row in report)
    assert said - Counter(file.remarks) == Counter()
    assert Counter(file.remarks) - said == Counter()
    assert all(row["reason"] for row in report)
    found = 0
    async with admin.transaction():
        query = "SELECT email, first_name, company, timezone, attributes FROM sequence.contacts WHERE tenant_id = $1"
        async for row in admin.cursor(query, tenant.tenant_id, prefetch=5000):
            attributes = tuple(sorted(orjson.loads(row["attributes"]).items()))
            stored = Person(row["first_name"], row["company"], row["timezone"], attributes)
            assert stored == file.people.get(row["email"]), row["email"]
            found += 1
    assert found == len(file.people)
    changes = await admin.fetchval(
        "SELECT sum(revision - 1) FROM sequence.contacts WHERE tenant_id = $1", tenant.tenant_id
    )
    assert changes <= file.counts["updated"], "no row was written twice"
