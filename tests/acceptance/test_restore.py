"""A database restored from a backup sends nothing again: it starts held, and goes on when it is reconciled.

The evidence is the SMTP server's own log over the whole story: what was sent before the backup, between backup and
disaster, and after the release.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aio_pika
import asyncpg
import pytest
import pytest_asyncio
from yarl import URL

from postroad_common.amqp.topology import SENDER_DUE
from postroad_common.migrations import migrate
from postroad_stack import Stack
from postroad_stack.backups import base_backup, dump, put_back, restore
from postroad_stack.databases import Database, drop
from postroad_stack.eventually import eventually
from postroad_stack.listening import listening_port
from postroad_stack.local import start_local
from postroad_stack.programs import find_postgres
from postroad_stack.pytest_plugin import ROLE_PASSWORD
from postroad_stack.servers import say
from postroad_stack.services import Services, running_services
from postroad_stack.smtp_server import SmtpServer, running_smtp_server
from postroad_stack.vhosts import VhostSupply
from tests.acceptance.conftest import migrated_database
from tests.acceptance.world import QUICK, World, duplicates, new_world
from tests.http import http_client
from tests.size import FULL

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(find_postgres() is None, reason="pg_dump and pg_restore are not on this machine"),
]

PEOPLE = 2_000 if FULL else 150
"""With three mails at once each, so that mails flow before, during and after the backup."""
PATIENT = 200 if FULL else 20
"""With a mail now and one tomorrow: the second must go."""
LOST = 100 if FULL else 10
"""Enrolled after the backup: no restored row knows them."""
BRISK, SLOW = {"answer_delay_ms": [50, 100]}, {"answer_delay_ms": [2000, 2000]}
"""How the mail server answers; slow, so that mails still flow however long a backup takes, and when all is killed."""
NEW = 5
"""Enrolled while the restored database is held."""
CROWD = 300


@dataclass(frozen=True)
class Disaster:
    """What is left: a backup, the broker with its messages, the mail server's log, and what had been enrolled."""

    world: World
    stack: Stack
    backup: Path
    flow: str
    patient: str
    accepted_at_backup: int


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def disaster(
    stack: Stack, vhost_supply: VhostSupply, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Disaster]:
    """Back up under load, go on sending, and lose the database and every process at once."""
    backup = tmp_path_factory.mktemp("backup") / "postroad.dump"
    async with (
        migrated_database(stack.postgres.dsn) as database,
        running_smtp_server() as smtp,
        running_services(
            database=database,
            amqp_url=await vhost_supply.take(),
            settings=QUICK,
            replicas={"sender": 2},
            log_dir=tmp_path_factory.mktemp("restore"),
        ) as services,
        new_world(services, smtp, database.admin_dsn, name="Restored") as world,
    ):
        await smtp.set_behaviour(BRISK)
        flow = await world.add_sequence("flow", steps=3)
        patient = await world.add_sequence("patient", steps=2, delay="1d")
        flowing = await world.add_contacts([f"flow-{n}@restore.example" for n in range(PEOPLE)])
        waiting = await world.add_contacts([f"patient-{n}@restore.example" for n in range(PATIENT)])
        await world.enroll(patient, list(waiting.values()))
        await world.enroll(flow, list(flowing.values()))
        await until_accepted(smtp, PEOPLE // 2)

        await smtp.set_behaviour(SLOW)
        before = smtp.accepted_count()
        await dump(database, backup)
        lost = await world.add_contacts([f"lost-{n}@restore.example" for n in range(LOST)])
        await world.enroll(flow, list(lost.values()))
        await smtp.set_behaviour(BRISK)
        await until_accepted(smtp, smtp.accepted_count() + PEOPLE)
        await smtp.set_behaviour(SLOW)
        await kill_all(services)
        await drop(stack.postgres.dsn, database)
        yield Disaster(world, stack, backup, flow, patient, before)


async def until_accepted(smtp: SmtpServer, count: int) -> None:
    """Wait until the server has accepted so many mails."""
    await eventually(lambda: smtp.accepted_count() >= count, timeout=60, interval=0.05)


async def kill_all(services: Services) -> None:
    """SIGKILL everything while due steps are in the queue: the scheduler last, when the senders have left some."""
    await asyncio.gather(*(process.kill() for process in services.processes["sender"]))
    await eventually(lambda: _waiting(services), timeout=30, interval=0.2, reason="due steps in the queue")
    survivors = [process for service, all_ in services.processes.items() if service != "sender" for process in all_]
    await asyncio.gather(*(process.kill() for process in survivors))


async def _waiting(services: Services) -> int:
    async with await aio_pika.connect(services.amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(SENDER_DUE.name, passive=True)
        return queue.declaration_result.message_count or 0


async def revive(disaster: Disaster) -> Database:
    """Restore the backup into a new database, as docs/backup.md says, and start every service on it."""
    services = disaster.world.services
    database = await restore(disaster.stack.postgres.dsn, disaster.backup, role_password=ROLE_PASSWORD)
    await migrate(database.admin_dsn, role_password=ROLE_PASSWORD)
    await asyncio.gather(*(process.kill() for replicas in services.processes.values() for process in replicas))
    services.plan = replace(services.plan, database=database)
    started = []
    for service, replicas in services.processes.items():
        for process in list(replicas):
            replicas.remove(process)
            started.append(services.launch(service))
    await asyncio.gather(*(listening_port(process) for process in started))
    disaster.world.admin_dsn = database.admin_dsn
    await disaster.world.reconnect()
    return database


async def operator(world: World, method: str, path: str = "", *, expect: int = 200, **body: Any) -> dict[str, Any]:
    """One call to the operator's restore endpoints."""
    headers = {"Authorization": f"Bearer {world.services.operator_token}"}
    more = {"json": body} if body else {}
    answer: dict[str, Any] = await world.call(
        method, f"/operator/restore{path}", expect=expect, headers=headers, **more
    )
    return answer


async def command(world: World, *arguments: str) -> None:
    """What the operator types: `postroad restore ...`, which must do as it is told."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("postroad")),
        "restore",
        *arguments,
        env={
            **os.environ,
            "POSTROAD_URL": world.services.api_url,
            "POSTROAD_OPERATOR_TOKEN": world.services.operator_token,
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    print(f"$ postroad restore {' '.join(arguments)}\n{output.decode()}")
    assert process.returncode == 0, output


async def waits_ready(world: World, service: str) -> None:
    """A service's first process shows the hold, and is ready all the same: a rollout must come to its end."""
    port = await listening_port(world.services.processes[service][0])
    async with http_client(base_url=f"http://127.0.0.1:{port}") as http:
        report, metrics = await http.get("/readyz"), await http.get("/metrics")
    assert "postroad_database_held 1.0" in metrics.text
    assert report.status_code == 200, report.text


def all_mails(world: World) -> Counter[tuple[str, str]]:
    """How often the server accepted each mail, of all sequences."""
    return world.mails("flow") + world.mails("patient")


async def travel(database: Database, *, days: int) -> None:
    """The database's clock goes on by so many days."""
    admin = await asyncpg.connect(database.admin_dsn)
    await admin.execute(
        "CREATE OR REPLACE FUNCTION postroad.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS"
        f" $$ SELECT clock_timestamp() + interval '{days} days' $$"
    )
    await admin.close()


async def test_a_restored_database_sends_nothing_again_and_goes_on_when_it_is_reconciled(disaster: Disaster) -> None:
    world, smtp = disaster.world, disaster.world.smtp
    sent = smtp.accepted_count()
    assert await _waiting(world.services), "due steps of the lost life are in the queue"
    database = await revive(disaster)
    await smtp.set_behaviour(BRISK)

    # Held: the queues are worked off, and nothing goes.
    for service in ("sender", "scheduler"):
        await waits_ready(world, service)
    await world.until_quiet(SENDER_DUE)
    assert smtp.accepted_count() == sent
    await command(world, "status")
    status = await operator(world, "GET")
    assert (status["held"], status["reconciling_at"]) == (True, None)
    assert status["waiting"] >= PEOPLE // 2
    assert not (await world.verify())["ok"], "what may have been sent waits to be sent again"
    assert (await operator(world, "POST", "/release", expect=409))["code"] == "not_reconciled"

    # Work is accepted, and waits.
    newcomers = await world.add_contacts([f"flow-new-{n}@restore.example" for n in range(NEW)])
    assert len(await world.enroll(disaster.flow, list(newcomers.values()))) == NEW

    # Reconciled: what may have been sent is unknown, and what the mail server's log has was accepted.
    await command(world, "reconcile")
    status = await operator(world, "GET")
    assert (status["waiting"], status["transmitting"]) == (0, 0)
    assert status["may_have_been_sent"] > 0
    assert smtp.accepted_count() == sent
    log = [mail.message_id for mail in smtp.accepted()]
    maillog = disaster.backup.with_name("mail.log")
    maillog.write_text("".join(f"postfix/cleanup[7]: 4F: message-id={id_}\n" for id_ in log))
    await command(world, "evidence", str(maillog))
    await eventually(lambda: _knows_all_of(world, log), timeout=30, interval=0.3, reason="evidence taken")
    assert smtp.accepted_count() == sent

    # Released: the rest goes, once.
    await command(world, "release")
    assert await world.until_ended(disaster.flow, timeout=60) == {"completed": PEOPLE + NEW}
    await travel(database, days=1)
    assert await world.until_ended(disaster.patient, timeout=60) == {"completed": PATIENT}
    mails, unknown = all_mails(world), await world.unknown(disaster.flow)
    print(
        f"restore: {disaster.accepted_at_backup} mails accepted at the backup, {sent} at the disaster, "
        f"{smtp.accepted_count()} in the end; {status['may_have_been_sent']} may have been sent, {len(unknown)} unknown"
    )
    assert duplicates(mails) == {}
    assert smtp.accepted_count() == sent + 3 * NEW + PATIENT
    assert sum(step.endswith("step 2") for _, step in world.mails("patient")) == PATIENT
    assert not [row for row in unknown if mails[row["recipient"], row["subject"]]]
    report = await world.verify()
    assert report["ok"], report


async def _knows_all_of(world: World, log: list[str]) -> bool:
    """Whether no mail of the log is unknown; those of lost enrollments have no row at all."""
    return not await world.admin.fetchval(
        "SELECT count(*) FROM delivery.messages WHERE state = 'unknown' AND rfc_message_id = ANY ($1)", log
    )


@pytest.mark.prove
async def test_a_dump_goes_by_the_page_into_a_server_that_never_had_postroad(stack: Stack, tmp_path: Path) -> None:
    """docs/backup.md, step 2, as it stands there: the roles that a dump needs are not in it."""
    page = (ROOT / "docs" / "backup.md").read_text()
    [step] = re.findall(r"```sh\n( *psql --dbname=postgres.*?)```", page, re.DOTALL)
    programs = find_postgres()
    assert programs is not None
    async with contextlib.AsyncExitStack() as resources:
        database = await resources.enter_async_context(migrated_database(stack.postgres.dsn))
        await dump(database, tmp_path / "postroad.dump")
        fresh, _ = await start_local(say, resources, keep=False, rabbitmq_nodes=1, postgres_settings=None)
        where = URL(fresh.dsn)
        shell = await asyncio.create_subprocess_exec(
            *("sh", "-euc", step.replace("postroad.dump", str(tmp_path / "postroad.dump"))),
            cwd=ROOT,
            env={
                "PATH": f"{programs.bin}:/usr/bin:/bin",
                "PGHOST": where.host or "",
                "PGPORT": str(where.port),
                "PGUSER": where.user or "",
                "PGPASSWORD": where.password or "",
            },
        )
        assert await shell.wait() == 0
        restored = str(where.with_path("/postroad"))
        await migrate(restored, role_password=ROLE_PASSWORD)
        admin = await asyncpg.connect(restored)
        assert await admin.fetchval("SELECT count(*) FROM monitor.steps()") == 0
        await admin.close()


@pytest.mark.prove
async def test_without_the_hold_the_very_same_backup_sends_again(disaster: Disaster) -> None:
    """The proof is not blind: an operator who says that nothing was lost sends again what the backup does not know."""
    world = disaster.world
    sent = world.smtp.accepted_count()
    await revive(disaster)
    assert world.smtp.accepted_count() == sent

    await operator(world, "POST", "/release", nothing_lost=True)

    await eventually(lambda: duplicates(all_mails(world)), timeout=60, interval=0.2, reason="mails sent again")


@pytest.mark.prove
@pytest.mark.parametrize("recover", [True, False], ids=["point-in-time", "snapshot"])
async def test_a_server_put_back_in_time_under_running_services_sends_nothing_again(
    tmp_path: Path, *, recover: bool
) -> None:
    """Nobody stops or says anything. A recovery is seen by its timeline, a snapshot of the files by the senders."""
    async with contextlib.AsyncExitStack() as resources:
        postgres, rabbitmq = await start_local(say, resources, keep=False, rabbitmq_nodes=1, postgres_settings=None)
        database = await resources.enter_async_context(migrated_database(postgres.dsn))
        smtp = await resources.enter_async_context(running_smtp_server())
        services = await resources.enter_async_context(
            running_services(
                database=database, amqp_url=rabbitmq.url, settings=QUICK, replicas={"sender": 2}, log_dir=tmp_path
            )
        )
        world = await resources.enter_async_context(new_world(services, smtp, database.admin_dsn, name="Put back"))
        await smtp.set_behaviour(BRISK)
        flow = await world.add_sequence("flow", steps=3)
        people = await world.add_contacts([f"back-{n}@restore.example" for n in range(CROWD)])
        await world.enroll(flow, list(people.values()))
        await until_accepted(smtp, 50)
        await smtp.set_behaviour(SLOW)
        await base_backup(postgres, tmp_path / "base")
        await smtp.set_behaviour(BRISK)
        await until_accepted(smtp, smtp.accepted_count() + 200)
        await smtp.set_behaviour(SLOW)
        await put_back(postgres, tmp_path / "base", recover=recover)
        await smtp.set_behaviour(BRISK)
        await world.reconnect()

        async def held() -> bool:
            return (await operator(world, "GET"))["because"] is not None

        await eventually(held, timeout=60, interval=0.3, reason="the hold is noticed")
        print(f"restore: {await operator(world, 'GET')}")
        await world.until_quiet(SENDER_DUE)
        sent = smtp.accepted_count()
        await command(world, "reconcile")
        await command(world, "release")
        assert await world.until_ended(flow, timeout=60) == {"completed": CROWD}
        assert smtp.accepted_count() == sent, "every step was due before"
        assert duplicates(world.mails("flow")) == {}
        report = await world.verify()
        assert report["ok"], report
