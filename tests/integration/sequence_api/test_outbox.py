"""What the API has committed reaches the scheduler, whatever happens to the process or the broker in between."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aio_pika
import asyncpg
import httpx
import pytest_asyncio

from postroad_stack.databases import Database
from postroad_stack.eventually import eventually

from .house import api_of, new_tenant, start


@pytest_asyncio.fixture
async def admin(database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.admin_dsn)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30) as client:
        yield client


async def queued(amqp_url: str, type_: str) -> list[bytes]:
    """Take what lies in the scheduler's queue."""
    found: list[bytes] = []
    connection = await aio_pika.connect(amqp_url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.get_queue("scheduler.enrollments")
        while (message := await queue.get(fail=False, no_ack=True)) is not None:
            if message.type == type_:
                found.append(message.body)
    return found


async def test_an_enrollment_committed_by_a_process_that_died_is_relayed_by_the_next(
    database: Database, vhost: str, tmp_path: Path, admin: asyncpg.Connection, http: httpx.AsyncClient
) -> None:
    """The kill comes between commit and answer: api.committed is reached by the activation, then by the enrolling."""
    first = start(database, vhost, tmp_path / "first", POSTROAD_FAULT_KILL="api.committed:2")
    tenant = await new_tenant(await api_of(first, http, vhost), admin)
    sequence, contact = await tenant.sequence(), await tenant.contact()
    path = f"/sequences/{sequence['id']}/enrollments"
    try:
        await tenant.ask("POST", path, json={"contact_ids": [contact["id"]]})
        raise AssertionError("the process was to die before its answer")
    except httpx.TransportError:
        pass
    finally:
        await first.kill()
    assert await admin.fetchval("SELECT count(*) FROM sequence.enrollments") == 1
    second = start(database, vhost, tmp_path / "second")
    try:
        bodies: list[bytes] = []

        async def arrived() -> bool:
            bodies.extend(await queued(vhost, "enrollments.created.v1"))
            return bool(bodies)

        await eventually(arrived, timeout=20)
        assert contact["id"].encode() in bodies[0]
        await eventually(lambda: outbox_is_empty(admin))
        tenant.api = await api_of(second, http, vhost)
        [again] = await tenant.enroll(sequence["id"], contact["id"])
        assert again["result"] == "already_active"
    finally:
        await second.kill()


async def outbox_is_empty(admin: asyncpg.Connection) -> bool:
    return bool(await admin.fetchval("SELECT count(*) = 0 FROM sequence.outbox"))


async def test_a_process_that_is_asked_to_stop_answers_what_it_has_in_hand(
    database: Database, vhost: str, tmp_path: Path, admin: asyncpg.Connection, http: httpx.AsyncClient
) -> None:
    process = start(database, vhost, tmp_path / "log", POSTROAD_SEQUENCE_API_STOP_WAIT_SECONDS="1.5")
    try:
        tenant = await new_tenant(await api_of(process, http, vhost), admin)
        one = await tenant.enrolled()
        await one.message("transmitting")
        asking = asyncio.create_task(tenant.call("POST", f"{one.path}/pause"))
        await eventually(lambda: admin.fetchval("SELECT count(*) FROM sequence.intents"))
        ending = asyncio.create_task(process.terminate(timeout=30))
        answer = await asking
        assert len(answer["stop"]["on_the_wire"]) == 1
        assert await ending == 0
    finally:
        await process.kill()


async def test_an_enrollment_by_a_sampled_call_carries_its_trace_and_the_message_does_too(
    database: Database, vhost: str, tmp_path: Path, admin: asyncpg.Connection, http: httpx.AsyncClient
) -> None:
    settings = {"POSTROAD_OTLP_ENDPOINT": "http://127.0.0.1:9", "POSTROAD_TRACE_SAMPLE_RATIO": "0"}
    process = start(database, vhost, tmp_path / "log", **settings)
    try:
        tenant = await new_tenant(await api_of(process, http, vhost), admin)
        sequence = await tenant.sequence()
        untraced, traced = await tenant.contact(), await tenant.contact()
        await tenant.enroll(sequence["id"], untraced["id"])
        await tenant.call(
            "POST",
            f"/sequences/{sequence['id']}/enrollments",
            json={"contact_ids": [traced["id"]]},
            headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"},
        )
        rows = await admin.fetch("SELECT contact_id::text, traceparent FROM sequence.enrollments")
        by_contact = {row["contact_id"]: row["traceparent"] for row in rows}
        assert by_contact[untraced["id"]] is None
        assert by_contact[traced["id"]].startswith(f"00-{'a' * 32}-")

        told: list[bytes] = []

        async def both() -> bool:
            told.extend(await queued(vhost, "enrollments.created.v1"))
            return len(told) == 2

        await eventually(both)
        items = [json.loads(body)["items"][0] for body in told]
        assert {item["contact_id"]: item["traceparent"] for item in items} == by_contact
    finally:
        await process.kill()
