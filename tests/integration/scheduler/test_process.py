"""Whole scheduler processes: their loops and consumers, killed and suspended."""

import base64
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from uuid import UUID

import pytest
import pytest_asyncio
from yarl import URL

from postroad_common.contracts import (
    EnrollmentCreated,
    EnrollmentIntentChangedV1,
    EnrollmentsCreatedV1,
    StepsSettledV1,
)
from postroad_stack import eventually
from postroad_stack.databases import Database
from postroad_stack.listening import listening_port
from postroad_stack.process import Process
from postroad_stack.tcp_proxy import tcp_proxy
from tests.http import http_client

from .depot import Course, Depot, SendersEnd, settled

SECOND = timedelta(seconds=1)
REAL_CLOCK = (
    "CREATE OR REPLACE FUNCTION postroad.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS"
    " 'SELECT clock_timestamp()'"
)
QUICK = {
    "POSTROAD_SCHEDULER_TICK_SECONDS": "0.02",
    "POSTROAD_SCHEDULER_LEASE_SECONDS": "1",
    "POSTROAD_SCHEDULER_ANSWER_SECONDS": "1.5",
    "POSTROAD_SCHEDULER_RECONCILE_SECONDS": "0.3",
    "POSTROAD_SCHEDULER_RECONCILE_AFTER_SECONDS": "0.1",
    "POSTROAD_SCHEDULER_MAX_EMISSIONS": "50",
}


class Start(Protocol):
    """Starts a scheduler; settings are added to the quick ones."""

    def __call__(self, *, amqp_url: str = "", **settings: str) -> Process: ...


@pytest_asyncio.fixture
async def start(depot: Depot, database: Database, module_vhost: str, tmp_path: Path) -> AsyncIterator[Start]:
    await depot.admin.execute(REAL_CLOCK)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("POSTROAD_")}
    keys = "k1:" + base64.b64encode(secrets.token_bytes(32)).decode()
    async with AsyncExitStack() as running:
        started: list[Process] = []

        def start(*, amqp_url: str = "", **settings: str) -> Process:
            env = inherited | QUICK | settings
            env |= {
                "POSTROAD_DATABASE_URL": database.dsn("postroad_scheduler"),
                "POSTROAD_AMQP_URL": amqp_url or module_vhost,
                "POSTROAD_SECRET_KEYS": keys,
            }
            log = tmp_path / f"scheduler-{len(started)}.log"
            process = Process([sys.executable, "-m", "postroad_scheduler"], log=log, env=env, name="scheduler")
            started.append(process)
            running.push_async_callback(process.kill)
            return process

        yield start


async def enroll(depot: Depot, senders: SendersEnd, sequence: Course, count: int) -> list[UUID]:
    """Enroll as the API does, its message included."""
    contacts = await depot.contacts(sequence.tenant_id, count)
    ids = await depot.enroll(sequence, contacts)
    items = tuple(EnrollmentCreated(enrollment_id=e, contact_id=c) for e, c in zip(ids, contacts, strict=True))
    await senders.broker.publish(
        EnrollmentsCreatedV1(tenant_id=sequence.tenant_id, sequence_id=sequence.sequence_id, version=1, items=items)
    )
    return ids


async def answer_all(depot: Depot, senders: SendersEnd, sequence: Course, *, until: Callable[[], bool]) -> None:
    """Accept whatever arrives, again when it arrives again, as the ledger makes the senders do."""
    handled = 0

    async def step() -> bool:
        nonlocal handled
        messages = senders.messages[handled:]
        handled += len(messages)
        for message in messages:
            items = tuple(settled(item, "accepted", datetime.now(UTC)) for item in message.items)
            await senders.broker.publish(StepsSettledV1(tenant_id=sequence.tenant_id, items=items))
        return until()

    await eventually(step, timeout=30)


async def ended(depot: Depot, state: str, count: int) -> bool:
    found = await depot.admin.fetchval("SELECT count(*) FROM schedule.progress WHERE state = $1", state)
    return bool(found == count)


async def test_messages_in_due_steps_out_answers_in_until_the_end(
    depot: Depot, senders: SendersEnd, start: Start
) -> None:
    process = start()
    sequence = await depot.sequence(await depot.tenant(), SECOND * 0, SECOND)
    enrollments = await enroll(depot, senders, sequence, 20)
    await answer_all(depot, senders, sequence, until=lambda: len(senders.items) == 40)

    await eventually(lambda: ended(depot, "completed", 20))
    assert {(item.enrollment_id, item.step_key, item.attempt) for item in senders.items} == {
        (id_, key, 1) for id_ in enrollments for key in ("step-1", "step-2")
    }
    port = await listening_port(process)
    async with http_client(base_url=f"http://127.0.0.1:{port}") as http:
        assert (await http.get("/readyz")).status_code == 200
        metrics = (await http.get("/metrics")).text
    assert "postroad_scheduler_published_steps_total 40.0" in metrics
    assert 'postroad_scheduler_settled_steps_total{outcome="accepted"} 40.0' in metrics
    assert await process.terminate() == 0


async def test_a_stop_wish_reaches_a_waiting_enrollment_by_its_message(
    depot: Depot, senders: SendersEnd, start: Start
) -> None:
    start(POSTROAD_SCHEDULER_RECONCILE_SECONDS="600")
    sequence = await depot.sequence(await depot.tenant(), timedelta(days=1))
    ids = await enroll(depot, senders, sequence, 1)
    await eventually(lambda: ended(depot, "active", 1), timeout=30)
    await depot.want(ids, "stop")

    await senders.broker.publish(EnrollmentIntentChangedV1(tenant_id=sequence.tenant_id, items=tuple(ids)))

    await eventually(lambda: ended(depot, "unenrolled", 1))


@pytest.mark.prove
@pytest.mark.parametrize("point", ["taken_up", "claimed", "published", "marked", "settle_committed"])
async def test_a_scheduler_killed_at_any_point_loses_nothing(
    depot: Depot, senders: SendersEnd, start: Start, point: str
) -> None:
    sequence = await depot.sequence(await depot.tenant(), SECOND * 0, SECOND * 0)
    enrollments = await enroll(depot, senders, sequence, 5)
    doomed = start(POSTROAD_FAULT_KILL=f"scheduler.{point}:1")

    def over() -> bool:
        return doomed.returncode is not None

    await answer_all(depot, senders, sequence, until=over)
    assert doomed.returncode == -9
    start()

    def both_steps_of_all() -> bool:
        return {(item.enrollment_id, item.step_key) for item in senders.items} == {
            (id_, key) for id_ in enrollments for key in ("step-1", "step-2")
        }

    await answer_all(depot, senders, sequence, until=both_steps_of_all)
    await answer_until_completed(depot, senders, sequence, 5)
    assert {item.attempt for item in senders.items} == {1}, "only ever the same attempt again"


async def answer_until_completed(depot: Depot, senders: SendersEnd, sequence: Course, count: int) -> None:
    async def completed() -> bool:
        for message in senders.messages:
            items = tuple(settled(item, "accepted", datetime.now(UTC)) for item in message.items)
            await senders.broker.publish(StepsSettledV1(tenant_id=sequence.tenant_id, items=items))
        return await ended(depot, "completed", count)

    await eventually(completed, timeout=30, interval=0.2)


async def test_a_suspended_claimer_comes_back_and_changes_nothing(
    depot: Depot, senders: SendersEnd, start: Start, module_vhost: str
) -> None:
    sequence = await depot.sequence(await depot.tenant(), SECOND * 0, timedelta(days=1))
    url = URL(module_vhost)
    async with tcp_proxy(str(url.host), int(url.port or 5672)) as proxy:
        through = str(url.with_port(proxy.port))
        suspended = start(amqp_url=through, POSTROAD_SCHEDULER_RECONCILE_SECONDS="600")
        port = await listening_port(suspended)
        proxy.freeze()
        (enrollment,) = await depot.running(sequence)
        await eventually(lambda: phase_is(depot, "claimed"))
        suspended.stop()

        other = depot.tick(senders.broker)

        async def taken_over() -> bool:
            await other()
            return bool(senders.items)

        await eventually(taken_over)
        (item,) = await senders.take(1)
        await depot.answer(sequence.tenant_id, settled(item, "accepted", datetime.now(UTC)))
        before = tuple(await depot.progress(enrollment))
        proxy.thaw()
        suspended.cont()

        async def has_tried() -> bool:
            return b"no confirm of steps.due.v1" in suspended.log.read_bytes() or await unmarked(port)

        await eventually(has_tried)
        (late,) = await senders.take(1)

    assert (late.step_key, late.attempt) == (item.step_key, item.attempt) == ("step-1", 1)
    assert tuple(await depot.progress(enrollment)) == before


async def unmarked(port: int) -> bool:
    async with http_client() as http:
        metrics = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
    return "postroad_scheduler_unmarked_steps_total 1.0" in metrics


async def phase_is(depot: Depot, phase: str) -> bool:
    return bool(await depot.admin.fetchval("SELECT phase = $1 FROM schedule.progress", phase))
