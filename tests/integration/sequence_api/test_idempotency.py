"""An Idempotency-Key makes a POST that is sent again one thing, over processes, kills and a day."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from postroad_common.sealing import KeyRing
from postroad_sequence_api import idempotency
from postroad_sequence_api.context import Context, Desk
from postroad_sequence_api.idempotency import KEPT_FOR, forget_old
from postroad_stack import eventually
from postroad_stack.databases import Database
from tests.http import http_client

from .house import OPERATOR_TOKEN, Api, Tenant, api_of, start

AT_ONCE = 50


def new_key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


async def at_once(
    tenant: Tenant, second: Api, path: str, headers: dict[str, str], **request: Any
) -> list[httpx.Response]:
    """The same POST, many times at once, half of them to another process."""
    apis = (tenant.api, second)
    return await asyncio.gather(
        *(
            apis[number % 2].ask(
                "POST", path, key=request.get("key", tenant.key), headers=headers, json=request["json"]
            )
            for number in range(AT_ONCE)
        )
    )


async def rows_of(tenant: Tenant, headers: dict[str, str]) -> list[Any]:
    found: list[Any] = await tenant.admin.fetch(
        "SELECT * FROM sequence.idempotency_keys WHERE key = $1", headers["Idempotency-Key"]
    )
    return found


async def age(tenant: Tenant, headers: dict[str, str], column: str, by: str) -> None:
    await tenant.admin.execute(
        f"UPDATE sequence.idempotency_keys SET {column} = {column} - $2::text::interval WHERE key = $1",
        headers["Idempotency-Key"],
        by,
    )


async def test_the_same_post_fifty_times_at_once_makes_one_thing_and_all_get_its_answer(
    tenant: Tenant, second_api: Api
) -> None:
    answers = await at_once(tenant, second_api, "/contacts", new_key(), json={"email": "once@people.example"})
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert len({(answer.headers["ETag"], answer.headers["Location"]) for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert len((await tenant.call("GET", "/contacts"))["items"]) == 1


async def test_of_several_transactions_one_is_worked_on_and_the_others_wait_or_get_its_answer(
    tenant: Tenant, second_api: Api
) -> None:
    one = await tenant.enrolled()
    await one.message("transmitting")  # the answer waits for it
    path, headers = f"/sequences/{one.sequence['id']}/pause", new_key()
    answers = await at_once(tenant, second_api, path, headers, json=None)
    refused = [answer for answer in answers if answer.status_code == 409]
    assert {answer.json()["code"] for answer in refused} == {"in_progress"}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    done = [answer for answer in answers if answer not in refused]
    assert {answer.status_code for answer in done} == {200}
    assert len({answer.text for answer in done}) == 1
    again = await tenant.ask("POST", path, headers=headers)
    assert again.json() == done[0].json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len((await tenant.call("GET", "/intents"))["items"]) == 1


async def test_the_operator_s_key_makes_one_tenant(tenant: Tenant, second_api: Api, api_pool: asyncpg.Pool) -> None:
    headers = new_key()
    name = f"Once {headers['Idempotency-Key']}"
    answers = await at_once(tenant, second_api, "/tenants", headers, json={"name": name}, key=OPERATOR_TOKEN)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert await tenant.admin.fetchval("SELECT count(*) FROM sequence.tenants WHERE name = $1", name) == 1
    await age(tenant, headers, "created_at", "1 day")
    await forget(api_pool)
    late = await tenant.ask("POST", "/tenants", key=OPERATOR_TOKEN, headers=headers, json={"name": name})
    assert (late.status_code, late.json()["field"]) == (409, "Idempotency-Key")


async def test_another_request_with_the_key_is_refused(tenant: Tenant) -> None:
    headers = new_key()
    await tenant.call("POST", "/contacts", headers=headers, json={"email": "a@people.example"}, expect=201)
    for path, body in (("/contacts", {"email": "b@people.example"}), ("/suppressions", {"email": "a@people.example"})):
        problem = await tenant.refused("POST", path, 422, headers=headers, json=body)
        assert (problem["code"], problem["field"]) == ("idempotency_key_reused", "Idempotency-Key")
    assert len((await tenant.call("GET", "/contacts"))["items"]) == 1


async def test_what_one_api_key_was_answered_is_not_another_s(tenant: Tenant) -> None:
    headers, body = new_key(), {"name": "phone", "role": "viewer"}
    first = await tenant.call("POST", "/api-keys", headers=headers, json=body, expect=201)
    other = await tenant.key_of("owner")
    second = await tenant.call("POST", "/api-keys", key=other, headers=headers, json=body, expect=201)
    assert first["key"] != second["key"]


async def test_a_refused_request_leaves_the_key_free(tenant: Tenant) -> None:
    headers, contact = new_key(), await tenant.contact()
    await tenant.refused("POST", "/contacts", 422, headers=headers, json={"email": "x"})
    await tenant.refused("POST", "/contacts", 409, headers=headers, json={"email": contact["email"]})
    await tenant.call("POST", "/contacts", headers=headers, json={"email": "new@people.example"}, expect=201)


async def test_a_refused_request_of_several_transactions_leaves_the_key_free(tenant: Tenant) -> None:
    headers, draft = new_key(), await tenant.draft()
    path = f"/sequences/{draft['id']}/pause"
    await tenant.refused("POST", path, 409, headers=headers)
    await tenant.call("POST", f"/sequences/{draft['id']}/activate")
    assert (await tenant.call("POST", path, headers=headers))["state"] == "paused"


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\u00e9"])
async def test_a_key_that_is_none_is_refused(tenant: Tenant, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode(), b"Authorization": f"Bearer {tenant.key}".encode()}
    response = await tenant.api.http.post("/v1/contacts", headers=headers, json={"email": "a@people.example"})
    assert (response.status_code, response.json()["field"]) == (422, "Idempotency-Key")


async def test_no_secret_of_an_answer_can_be_read_in_its_row(tenant: Tenant) -> None:
    headers = new_key()
    made = await tenant.call("POST", "/api-keys", headers=headers, json={"name": "k", "role": "viewer"}, expect=201)
    [row] = await rows_of(tenant, headers)
    shown = f"{dict(row)} {bytes(row['body_sealed'])!r}"
    assert made["key"] not in shown
    assert made["key"][47:] not in shown
    assert made["id"] not in shown.replace(str(json.loads(row["headers"])["Location"]), "")
    again = await tenant.ask("POST", "/api-keys", headers=headers, json={"name": "k", "role": "viewer"})
    assert (again.json(), again.headers["Cache-Control"]) == (made, "no-store")


async def forget(pool: asyncpg.Pool) -> None:
    """Forget what is old enough, as the service does each minute."""
    while await forget_old(pool):
        pass


async def test_an_answer_is_kept_for_a_day_and_then_the_key_is_new(tenant: Tenant, api_pool: asyncpg.Pool) -> None:
    young, old = new_key(), new_key()
    for headers, email in ((young, "young@people.example"), (old, "old@people.example")):
        await tenant.call("POST", "/contacts", headers=headers, json={"email": email}, expect=201)
    await age(tenant, young, "created_at", "23 hours")
    await age(tenant, old, "created_at", f"{KEPT_FOR.total_seconds()} s")
    await forget(api_pool)
    again = await tenant.ask("POST", "/contacts", headers=young, json={"email": "young@people.example"})
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert await rows_of(tenant, old) == []
    await tenant.call("POST", "/contacts", headers=old, json={"email": "another@people.example"}, expect=201)


async def killed_in(
    tenant: Tenant, database: Database, vhost: str, log: Path, path: str, headers: dict[str, str], **request: Any
) -> None:
    """Send a POST to a process that dies between its first commit and its answer."""
    doomed = start(database, vhost, log, POSTROAD_FAULT_KILL="api.committed:1")
    try:
        async with http_client() as http:
            api = await api_of(doomed, http, vhost)
            with pytest.raises(httpx.TransportError):
                await api.ask("POST", path, key=tenant.key, headers=headers, **request)
    finally:
        await doomed.kill()


async def test_killed_between_commit_and_answer_the_next_request_gets_the_answer(
    tenant: Tenant, api_database: Database, api_vhost: str, tmp_path: Path
) -> None:
    draft, headers = await tenant.draft(), new_key()
    path = f"/sequences/{draft['id']}/activate"
    await killed_in(tenant, api_database, api_vhost, tmp_path / "log", path, headers)
    again = await tenant.ask("POST", path, headers=headers)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert again.json()["active_version"] == 1


async def test_killed_among_several_transactions_it_is_done_again_after_a_while(
    tenant: Tenant, api_database: Database, api_vhost: str, tmp_path: Path
) -> None:
    sequence, headers = await tenant.sequence(), new_key()
    path = f"/sequences/{sequence['id']}/pause"
    await killed_in(tenant, api_database, api_vhost, tmp_path / "log", path, headers)
    problem = await tenant.refused("POST", path, 409, headers=headers)
    assert problem["code"] == "in_progress"
    await age(tenant, headers, "claimed_at", "61 s")
    answer = await tenant.call("POST", path, headers=headers)
    assert (answer["state"], answer["stop"]["on_the_wire"]) == ("paused", [])
    assert len((await tenant.call("GET", "/intents"))["items"]) == 1


async def test_a_request_that_lasts_keeps_its_key_and_one_that_lost_it_does_nothing(
    tenant: Tenant, api_pool: asyncpg.Pool
) -> None:
    headers = new_key()
    begun, going_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"email\n"
        begun.set()
        await going_on.wait()
        yield b"a@people.example\n"

    upload = {"headers": headers | {"Content-Type": "text/csv"}}
    first = asyncio.create_task(tenant.ask("POST", "/contacts/import", content=slow(), **upload))
    await begun.wait()
    await eventually(lambda: rows_of(tenant, headers))
    await age(tenant, headers, "claimed_at", "61 s")  # as if this process had not been seen for so long
    second = await tenant.ask("POST", "/contacts/import", content=b"email\nb@people.example\n", **upload)
    going_on.set()
    late = await first
    assert (second.status_code, late.status_code, late.json()["code"]) == (202, 409, "in_progress")
    assert [job["id"] for job in (await tenant.call("GET", "/jobs"))["items"]] == [second.json()["id"]]


async def test_a_long_request_is_seen_to_be_under_way(
    tenant: Tenant, api_pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "_SEEN_EVERY", 0.05)
    once = idempotency.Once(tenant.tenant_id, UUID(int=1), new_key()["Idempotency-Key"], b"h")
    desk = Desk(cast("Context", SimpleNamespace(pool=api_pool)), tenant.tenant_id)
    async with desk.work() as work:
        await once.begin(work, cast("KeyRing", None))

    async def seen() -> Any:
        return await tenant.admin.fetchval("SELECT seen_at FROM sequence.idempotency_keys WHERE key = $1", once.key)

    async with once.under_way(desk):
        at = await eventually(seen)
        await eventually(lambda: _later(seen, at))


async def _later(seen: Callable[[], Awaitable[Any]], at: Any) -> bool:
    return bool(await seen() > at)
