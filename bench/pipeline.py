"""Mails per second end to end, from due rows to the SMTP server: Postroad beside the naive pipeline, in the same run.

Both sides: one scheduler and one sender process, no DKIM, the same template, the same servers on the same cores.
Postroad's ledger, row-level security, tracking links and pixel are on. The naive pipeline has its ten SMTP connections;
Postroad has ten as well, and in a second run forty: its statements carry as many mails as there are connections.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg

from bench import naive
from postroad_stack import start_stack
from postroad_stack.eventually import eventually
from postroad_stack.process import Process
from postroad_stack.services import running_services
from postroad_stack.smtp_server import SmtpServer, running_smtp_server
from tests.acceptance.conftest import migrated_database
from tests.acceptance.world import World, new_world

ROUNDS = 3
OURS, NAIVE = 20_000, 2_500
CONNECTIONS = (10, 40)

SUBJECT = "{{ contact.first_name }}, welcome to {{ contact.company }}"
TEXT = "Hello {{ contact.first_name }},\n\nGlad to have {{ contact.company }} with us.\n\nhttps://shop.example/start\n"
HTML = (
    "<html><body>"
    + "".join(
        f"<p>Paragraph {n} for {{{{ contact.first_name }}}} at {{{{ contact.company }}}}. "
        + "Lorem ipsum " * 18
        + "</p>"
        for n in range(9)
    )
    + '<p><a href="https://shop.example/start">Start</a> <a href="https://shop.example/help">Help</a></p></body></html>'
)


@dataclass(frozen=True)
class Round:
    """Mails per second of one round, side by side: ours by how many connections it has."""

    ours: Mapping[int, float]
    naive: float


async def accepted_within(smtp: SmtpServer, count: int, started: float, limit: float) -> float:
    """Mails per second until the server has accepted `count` more mails."""
    before = smtp.accepted_count()
    await eventually(lambda: smtp.accepted_count() - before >= count, timeout=limit)
    return count / (time.monotonic() - started)


async def prepare(world: World, name: str, emails: list[str], sender_id: str) -> str:
    """A one-step sequence with all contacts enrolled and waiting for an hour."""
    template = await world.call(
        "POST", "/templates", json={"name": name, "subject": SUBJECT, "html": HTML, "text": TEXT}
    )
    steps = [{"kind": "email", "template_id": template["id"], "delay": "1h"}]
    sequence = await world.call("POST", "/sequences", json={"name": name, "sender_id": sender_id, "steps": steps})
    await world.call("POST", f"/sequences/{sequence['id']}/activate")
    contacts = await world.add_contacts(emails, company="Example & Sons")
    await world.enroll(sequence["id"], list(contacts.values()))
    query = "SELECT count(*) FROM schedule.progress WHERE sequence_id = $1 AND phase = 'waiting'"

    async def all_wait() -> bool:
        return int(await world.admin.fetchval(query, UUID(sequence["id"]))) == len(emails)

    await eventually(all_wait, timeout=120)
    return str(sequence["id"])


async def run_ours(world: World, name: str, sender_id: str) -> float:
    """Make all rows due at once and count what arrives."""
    sequence_id = await prepare(world, name, [f"{name}-{n}@bench.example" for n in range(OURS)], sender_id)
    await world.admin.execute("VACUUM ANALYZE schedule.progress")
    due = "UPDATE schedule.progress SET next_due_at = now(), wake_at = now() WHERE sequence_id = $1"
    started = time.monotonic()
    await world.admin.execute(due, UUID(sequence_id))
    rate = await accepted_within(world.smtp, OURS, started, limit=120)
    states = await world.until_ended(sequence_id, timeout=60)
    if states != {"completed": OURS}:
        raise RuntimeError(f"the run does not count: {dict(states)}")
    return rate


async def run_naive(dsn: str, smtp: SmtpServer, round_: int) -> float:
    """The same for the naive pipeline, whose processes run already."""
    connection = await asyncpg.connect(dsn)
    first = round_ * NAIVE
    ids = range(first, first + NAIVE)
    await connection.executemany(
        "INSERT INTO naive.contacts VALUES ($1, $2, 'Ada', 'Example & Sons')", [(n, f"n{n}@bench.example") for n in ids]
    )
    started = time.monotonic()
    await connection.executemany("INSERT INTO naive.due (id, contact_id) VALUES ($1, $1)", [(n,) for n in ids])
    rate = await accepted_within(smtp, NAIVE, started, limit=120)
    await connection.close()
    return rate


async def start_naive(dsn: str, amqp_url: str, smtp: SmtpServer, log_dir: Path) -> list[Process]:
    """Its schema and its two processes."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(naive.SCHEMA)
    await connection.execute("INSERT INTO naive.templates VALUES (1, $1, $2, $3)", SUBJECT, HTML, TEXT)
    await connection.close()
    argv = [sys.executable, str(Path(naive.__file__))]
    return [
        Process([*argv, role, dsn, amqp_url, str(smtp.port)], log=log_dir / f"naive-{role}.log", name=f"naive {role}")
        for role in ("scheduler", "sender")
    ]


async def run() -> list[Round]:
    """Three rounds, sides in turn."""
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory() as directory:
        log_dir = Path(directory)
        async with (
            start_stack() as stack,
            migrated_database(stack.postgres.dsn) as database,
            running_smtp_server() as smtp,
            running_services(
                database=database,
                amqp_url=stack.rabbitmq.url,
                settings={"POSTROAD_SENDER_ALLOW_PRIVATE_SMTP": "true"},
                python_flags=("-O",),
                log_dir=log_dir,
            ) as services,
            new_world(services, smtp, database.admin_dsn, name="Bench") as world,
        ):
            processes = await start_naive(database.admin_dsn, stack.rabbitmq.url, smtp, log_dir)
            senders = {count: await world.add_sender(connections=count, name=f"{count}") for count in CONNECTIONS}
            try:
                for round_ in range(ROUNDS):
                    naive_rate = await run_naive(database.admin_dsn, smtp, round_)
                    turns = CONNECTIONS if round_ % 2 == 0 else tuple(reversed(CONNECTIONS))
                    ours = {n: await run_ours(world, f"bench{round_}-{n}", senders[n]) for n in turns}
                    rounds.append(Round(ours, naive_rate))
                    said = ", ".join(f"Postroad {rate:,.0f} over {n} connections" for n, rate in ours.items())
                    print(f"  round {round_ + 1}, mails/s: naive {naive_rate:,.0f} over 10 connections, {said}")
            finally:
                for process in processes:
                    await process.terminate(timeout=10)
    return rounds


def main() -> None:
    """Print the figures."""
    print(f"mails/s end to end: {OURS:,} due rows, ledger on, no DKIM, one process a service")
    rounds = asyncio.run(run())
    reference = statistics.median(r.naive for r in rounds)
    for count in CONNECTIONS:
        ours = statistics.median(r.ours[count] for r in rounds)
        ratio = statistics.median(r.ours[count] / r.naive for r in rounds)
        print(
            f"  median: Postroad {ours:,.0f} mails/s over {count} connections,"
            f" naive {reference:,.0f} mails/s over its 10, {ratio:.1f}x (aim 8x)"
        )
