"""Promises 1 and 2 under kills: nothing lost, nothing twice, and what cannot be known is named.

The evidence is the SMTP server's own log, written before each 250. Jepsen's words: attempted, accepted, lost,
duplicated, unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from postroad_common.amqp.topology import SCHEDULER_SETTLED, SENDER_DUE
from postroad_stack.eventually import eventually
from postroad_stack.process import Process
from postroad_stack.services import Services
from postroad_stack.smtp_server import SmtpServer
from postroad_stack.tcp_proxy import tcp_proxy
from tests.acceptance.world import World, duplicates, new_world
from tests.size import FULL, SEED

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONNECTIONS = 10

#: Points at which a sender dies holding `transmitting` rows.
TRANSMITTING = (
    "sender.claimed",
    "sender.gated",
    "sender.mail_sent",
    "sender.data_sent",
    "sender.answered",
)
#: Of these, the ones before the final dot: the server has none of the mails that were in hand.
BEFORE_THE_DOT = ("sender.claimed", "sender.gated", "sender.mail_sent")
POINTS = (
    *TRANSMITTING,
    "sender.received",
    "sender.outcome_committed",
    "sender.settled_published",
    "scheduler.taken_up",
    "scheduler.claimed",
    "scheduler.published",
    "scheduler.marked",
    "scheduler.settle_committed",
    "api.committed",
    "relay.published",
    "relay.deleted",
)
#: Left to `make prove`: what is durable is nearly what it is at a point that stays.
FULL_SIZE_ONLY = (
    "sender.claimed",
    "sender.received",
    "sender.gated",
    "sender.mail_sent",
    "sender.outcome_committed",
    "sender.settled_published",
    "scheduler.taken_up",
    "scheduler.claimed",
    "scheduler.marked",
    "scheduler.settle_committed",
    "api.committed",
    "relay.deleted",
)
#: Here every replica dies, and fresh processes must find what they left; elsewhere the other replica does.
NO_SURVIVOR = ("sender.data_sent", "scheduler.published")


class Unknown(NamedTuple):
    """How many the ledger calls unknown, and how many of these the server's log has."""

    named: int
    delivered: int


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crew(acceptance_services: tuple[Services, SmtpServer, str]) -> AsyncIterator[World]:
    """A tenant on two replicas each of scheduler and sender."""
    services, smtp, admin_dsn = acceptance_services
    async with new_world(services, smtp, admin_dsn, name="Crash") as world:
        yield world


def owner_of(point: str) -> str:
    """Which service reaches the point; the relay lives in the API process."""
    service = point.split(".", maxsplit=1)[0]
    return "sequence-api" if service in ("api", "relay") else service


async def assert_kept(world: World, sequence_id: str, name: str, contacts: int, steps: int) -> Unknown:
    """Due equals ledger, nothing lost, nothing twice, every unknown compared with the server; returns the unknowns."""
    mails = world.mails(name)
    ledger = await world.ledger(sequence_id)
    unknown = {(row["recipient"], row["subject"]) for row in await world.unknown(sequence_id)}
    delivered_unknown = {mail for mail in unknown if mails[mail]}
    print(
        f"{name}: attempted {contacts * steps}, ledger {dict(ledger)}, accepted by the server {sum(mails.values())}, "
        f"duplicated {len(duplicates(mails))}, unknown {len(unknown)} of which the server has {len(delivered_unknown)}"
    )
    assert duplicates(mails) == {}
    assert sum(ledger.values()) == contacts * steps
    assert set(ledger) <= {"accepted", "unknown"}
    assert len(mails) == ledger["accepted"] + len(delivered_unknown), "what the ledger calls accepted, the server has"
    report = await world.verify()
    assert report["ok"], report
    return Unknown(len(unknown), len(delivered_unknown))


@pytest.mark.parametrize(
    "point", [pytest.param(point, marks=[pytest.mark.prove] if point in FULL_SIZE_ONLY else []) for point in POINTS]
)
async def test_a_kill_at_each_named_point_loses_nothing_and_sends_nothing_twice(crew: World, point: str) -> None:
    name = f"kill-{point.replace('.', '-').replace('_', '-')}"
    # The second step leaves a client whose call goes unanswered time to call again while the first enrollment runs.
    sequence_id = await crew.add_sequence(name, steps=2, delay="10s" if point == "api.committed" else "0s")
    service = owner_of(point)
    await crew.until_quiet(SCHEDULER_SETTLED, SENDER_DUE)  # or the doomed dies of an earlier run's message
    fault = {"POSTROAD_FAULT_KILL": f"{point}:1"}
    if point in NO_SURVIVOR:
        doomed = await crew.services.replace_all(service, env=fault)
    else:
        doomed = [await replace_one(crew.services, service, env=fault)]

    people = await enroll_until_dead(crew, sequence_id, name, doomed)
    if point in NO_SURVIVOR:
        await crew.services.replace_all(service)
    elif not crew.services.running(service):  # the API has no second replica that goes on
        await replace_one(crew.services, service)

    states = await crew.until_ended(sequence_id, timeout=60)
    assert states == {"completed": people}
    unknown = await assert_kept(crew, sequence_id, name, contacts=people, steps=2)
    assert unknown.named <= sum(process.returncode == -signal.SIGKILL for process in doomed) * CONNECTIONS
    if point in TRANSMITTING:
        assert unknown.named >= 1, "a process that dies with a row in transmission leaves an unknown"
    if point in BEFORE_THE_DOT:
        assert unknown.delivered == 0, "nothing is delivered before the final dot"
    if point == "sender.answered":
        assert unknown.delivered >= 1, "what the server has answered, it has"


async def replace_one(services: Services, service: str, *, env: Mapping[str, str] | None = None) -> Process:
    """Put a fresh process in the place of a dead one if there is one, else of any; the other replica stays."""
    replicas = services.processes[service]
    old = next((process for process in replicas if process.returncode is not None), replicas[0])
    return await services.replace(service, old, env=env)


async def enroll_until_dead(world: World, sequence_id: str, name: str, doomed: Sequence[Process]) -> int:
    """Enroll a few people at a time, for any replica to take up, until each of the doomed has died; how many in all.

    As a client does whose call goes unanswered, it calls again when the API is back.
    """
    people = 0
    for group in range(60):
        emails = [f"{name}-{group}-{n}@lists.example" for n in range(20)]
        try:
            await enroll_new(world, sequence_id, emails)
        except httpx.TransportError:
            await replace_one(world.services, "sequence-api")
            await enroll_new(world, sequence_id, emails)
        people += len(emails)
        with contextlib.suppress(TimeoutError):
            for process in doomed:
                assert await process.wait(timeout=1.0) == -signal.SIGKILL, process.log_tail()
            return people
    raise AssertionError("no process died at the point: the run does not count")


async def enroll_new(world: World, sequence_id: str, emails: Sequence[str]) -> None:
    """Make contacts of addresses and enroll them; safe to repeat."""
    await world.enroll(sequence_id, list((await world.add_contacts(emails)).values()))


@pytest.mark.alone
async def test_random_kills_under_load_lose_nothing_and_send_nothing_twice(crew: World) -> None:
    people, sender_kills, scheduler_kills = (10_000, 10, 5) if FULL else (1_000, 4, 2)
    rng = random.Random(SEED)
    name = f"random-{SEED}"
    await crew.services.replace_ended()
    print(f"seed {SEED}, {people} contacts x 3 steps, {sender_kills} sender kills, {scheduler_kills} scheduler kills")
    contacts = await crew.add_contacts([f"r{n}@lists.example" for n in range(people)])
    # Slow enough that mails flow until the last kill, and that each kill finds some on the wire.
    await crew.smtp.set_behaviour({"answer_delay_ms": [20, 40] if FULL else [100, 200], "seed": SEED})
    sequence_id = await crew.add_sequence(name, steps=3)
    await crew.enroll(sequence_id, list(contacts.values()))

    hits = 0
    services = ["sender"] * sender_kills + ["scheduler"] * scheduler_kills
    rng.shuffle(services)
    for service in services:
        started = sum(crew.mails(name).values())
        await until_accepted(crew, name, started + 1)
        await asyncio.sleep(rng.uniform(0.05, 0.4))
        victim = rng.choice(crew.services.processes[service])
        await victim.kill()
        if service == "sender":
            hits += await transmitting_of(crew, victim)
        crew.services.processes[service].remove(victim)
        crew.services.launch(service)
    await crew.smtp.set_behaviour({})

    states = await crew.until_ended(sequence_id, timeout=240)
    assert states == {"completed": people}
    unknown = await assert_kept(crew, sequence_id, name, contacts=people, steps=3)
    assert hits > 0, "no kill hit a row in transmission: the run does not count"
    assert 1 <= unknown.named <= sender_kills * CONNECTIONS


async def until_accepted(world: World, name: str, count: int) -> None:
    """Wait until the server has accepted so many mails of the sequence."""
    await eventually(lambda: sum(world.mails(name).values()) >= count, timeout=60, interval=0.1)


async def transmitting_of(world: World, victim: Process) -> int:
    """How many rows the dead process left transmitting (or another has already named unknown)."""
    return int(
        await world.admin.fetchval(
            "SELECT count(*) FROM delivery.messages m JOIN delivery.incarnations i USING (incarnation_id)"
            " WHERE i.pid = $1 AND m.state IN ('transmitting', 'unknown')",
            victim.pid,
        )
    )


@pytest.mark.alone
async def test_a_sender_suspended_in_data_past_its_incarnation_sends_nothing_twice(crew: World) -> None:
    name = "suspended"
    await crew.services.replace_ended()
    contacts = await crew.add_contacts([f"{name}-{n}@slow.example" for n in range(30)])
    sequence_id = await crew.add_sequence(name, steps=1)
    await crew.smtp.set_behaviour({"answer_delay_ms": [1500, 1500]})
    await crew.enroll(sequence_id, list(contacts.values()))
    victim = await sender_in_transmission(crew, sequence_id)
    victim.stop()
    await crew.smtp.set_behaviour({})
    unknowns = "SELECT count(*) FROM delivery.messages WHERE sequence_id = $1 AND state = 'unknown'"
    await eventually(lambda: crew.admin.fetchval(unknowns, UUID(sequence_id)), timeout=30)
    victim.cont()
    assert await crew.until_ended(sequence_id, timeout=60) == {"completed": 30}

    async def heard_late() -> bool:
        ledger = await crew.ledger(sequence_id)
        return ledger["accepted"] == len(crew.mails(name)) and ledger["unknown"] < CONNECTIONS

    await eventually(heard_late, timeout=30, interval=0.2, reason="the revived sender's late answers are in the ledger")
    assert duplicates(crew.mails(name)) == {}
    assert sum((await crew.ledger(sequence_id)).values()) == 30


async def sender_in_transmission(world: World, sequence_id: str) -> Process:
    """A sender process that has rows of the sequence on the wire now."""
    query = (
        "SELECT i.pid FROM delivery.messages m JOIN delivery.incarnations i USING (incarnation_id)"
        " WHERE m.sequence_id = $1 AND m.state = 'transmitting' LIMIT 1"
    )
    pid = await eventually(lambda: world.admin.fetchval(query, UUID(sequence_id)), timeout=20)
    return next(p for p in world.services.processes["sender"] if p.pid == pid)


async def test_a_cut_broker_connection_under_a_live_sender_gives_no_duplicate_and_no_unknown(
    acceptance_services: tuple[Services, SmtpServer, str],
) -> None:
    services, smtp, admin_dsn = acceptance_services
    host, port = services.amqp_address
    async with tcp_proxy(host, port) as proxy, new_world(services, smtp, admin_dsn, name="Cut") as world:
        await services.replace_all("sender", env={"POSTROAD_AMQP_URL": services.amqp_url_at(proxy.port)})
        try:
            contacts = await world.add_contacts([f"cut-{n}@lists.example" for n in range(600)])
            sequence_id = await world.add_sequence("cut", steps=2)
            await smtp.set_behaviour({"answer_delay_ms": [2, 20]})
            await world.enroll(sequence_id, list(contacts.values()))
            for threshold in (100, 400, 800):
                await until_accepted(world, "cut", threshold)
                assert proxy.cut() > 0
            assert await world.until_ended(sequence_id, timeout=120) == {"completed": 600}
            assert await assert_kept(world, sequence_id, "cut", contacts=600, steps=2) == Unknown(0, 0)
        finally:
            await smtp.set_behaviour({})
            await services.replace_all("sender")
