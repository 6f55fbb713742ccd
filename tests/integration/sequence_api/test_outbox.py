"""What the API has committed reaches the scheduler, whatever happens to the process or the broker in between."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio

from postroad_stack.databases import Database
from postroad_stack.eventually import eventually
from postroad_stack.process import Process
from tests.http import http_client

from .house import Api, Listener, Tenant, api_of, running_api, start


@pytest.fixture(scope="module")
def api_process(
    api_database: Database, api_vhost: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Process, str]]:
    """One that traces what is sampled, and waits long for what is on the wire. The last test here stops it."""
    settings = {
        "POSTROAD_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "POSTROAD_TRACE_SAMPLE_RATIO": "0",
        "POSTROAD_SEQUENCE_API_STOP_WAIT_SECONDS": "1.5",
    }
    with running_api(api_database, api_vhost, tmp_path_factory.mktemp("tracing-api") / "log", **settings) as running:
        yield running


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with http_client() as client:
        yield client


async def test_an_enrollment_committed_by_a_process_that_died_is_relayed_by_another(
    tenant: Tenant,
    outbox: Listener,
    api_database: Database,
    api_vhost: str,
    tmp_path: Path,
    http: httpx.AsyncClient,
) -> None:
    """The kill comes between commit and answer."""
    sequence, contact = await tenant.sequence(), await tenant.contact()
    path = f"/sequences/{sequence['id']}/enrollments"
    doomed = start(api_database, api_vhost, tmp_path / "log", POSTROAD_FAULT_KILL="api.committed:1")
    try:
        dying = await api_of(doomed, http, api_vhost)
        with pytest.raises(httpx.TransportError):
            await dying.ask("POST", path, key=tenant.key, json={"contact_ids": [contact["id"]]})
    finally:
        await doomed.kill()
    count = "SELECT count(*) FROM sequence.{} WHERE tenant_id = $1"
    assert await tenant.admin.fetchval(count.format("enrollments"), tenant.tenant_id) == 1

    [told] = await outbox.received("enrollments.created.v1", 1)

    assert [item["contact_id"] for item in told["items"]] == [contact["id"]]
    await eventually(lambda: outbox_is_empty(tenant.admin))
    [again] = await tenant.enroll(sequence["id"], contact["id"])
    assert again["result"] == "already_active"


async def outbox_is_empty(admin: asyncpg.Connection) -> bool:
    return bool(await admin.fetchval("SELECT count(*) = 0 FROM sequence.outbox"))


async def test_an_enrollment_by_a_sampled_call_carries_its_trace_and_the_message_does_too(
    tenant: Tenant, outbox: Listener
) -> None:
    sequence = await tenant.sequence()
    untraced, traced = await tenant.contact(), await tenant.contact()
    await tenant.enroll(sequence["id"], untraced["id"])
    await tenant.call(
        "POST",
        f"/sequences/{sequence['id']}/enrollments",
        json={"contact_ids": [traced["id"]]},
        headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"},
    )
    rows = await tenant.admin.fetch(
        "SELECT contact_id::text, traceparent FROM sequence.enrollments WHERE tenant_id = $1", tenant.tenant_id
    )
    by_contact = {row["contact_id"]: row["traceparent"] for row in rows}
    assert by_contact[untraced["id"]] is None
    assert by_contact[traced["id"]].startswith(f"00-{'a' * 32}-")

    told = await outbox.received("enrollments.created.v1", 2)

    items = [body["items"][0] for body in told]
    assert {item["contact_id"]: item["traceparent"] for item in items} == by_contact


async def test_a_process_that_is_asked_to_stop_answers_what_it_has_in_hand(
    tenant: Tenant, api: Api, admin: asyncpg.Connection
) -> None:
    one = await tenant.enrolled()
    await one.message("transmitting")
    asking = asyncio.create_task(tenant.call("POST", f"{one.path}/pause"))
    intents = "SELECT count(*) FROM sequence.intents WHERE tenant_id = $1"
    await eventually(lambda: admin.fetchval(intents, tenant.tenant_id))
    ending = asyncio.create_task(api.process.terminate(timeout=30))
    answer = await asking
    assert len(answer["stop"]["on_the_wire"]) == 1
    assert await ending == 0
