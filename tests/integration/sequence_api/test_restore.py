"""The hold of a database that is a copy, and how an operator ends it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from postroad_common.ids import message_id_for, new_id
from postroad_stack.databases import Database
from postroad_stack.eventually import eventually
from postroad_stack.process import Process
from postroad_stack.pytest_plugin import own_database
from postroad_stack.servers import Stack
from tests.http import http_client

from .house import OPERATOR_TOKEN, Api, Tenant, api_of, running_api, start

HERE = "written_by = pg_current_xact_id()::text::bigint"
CARRIED = {
    "another server": f"system_identifier = system_identifier + 1, {HERE}",
    "new timeline": f"timeline = timeline + 1, {HERE}",
    "copy of another database": f"database_oid = 1, {HERE}",
    "rows were copied": f"{HERE} - 1",
}
"""What the row says in a database that was carried to where it is."""


@pytest.fixture(scope="module")
def api_database(stack: Stack, template_database: Database) -> Iterator[Database]:
    """Of this module alone: what is held is all of it."""
    with own_database(stack, template_database) as database:
        yield database


@pytest.fixture(scope="module")
def api_process(
    api_database: Database, api_vhost: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Process, str]]:
    with running_api(api_database, api_vhost, tmp_path_factory.mktemp("own-api") / "log") as running:
        yield running


@pytest.fixture(autouse=True)
async def released(api: Api, admin: asyncpg.Connection) -> AsyncIterator[None]:
    """The other tests' database sends again afterwards."""
    yield
    await admin.execute(
        f"UPDATE sequence.installation SET lost_from = NULL, lost_until = NULL, reconciling_at = NULL, {HERE}"
    )
    await operator(api, "POST", "/release", nothing_lost=True)


async def operator(api: Api, method: str, path: str = "", *, expect: int = 200, **body: Any) -> dict[str, Any]:
    """One call to the operator's restore endpoints."""
    more = {"json": body} if body else {}
    response = await api.ask(method, f"/operator/restore{path}", key=OPERATOR_TOKEN, **more)
    assert response.status_code == expect, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def until_held(api: Api) -> dict[str, Any]:
    """Wait until the API has noticed."""

    async def noticed() -> bool:
        return (await operator(api, "GET"))["because"] is not None

    await eventually(noticed, timeout=20, reason="the hold is noticed")
    return await operator(api, "GET")


@pytest.mark.parametrize(("because", "row"), CARRIED.items(), ids=[name.replace(" ", "-") for name in CARRIED])
async def test_a_database_that_is_not_where_it_was_released_is_held_and_says_why(
    api: Api, admin: asyncpg.Connection, because: str, row: str
) -> None:
    assert not (await operator(api, "GET"))["held"]

    await admin.execute(f"UPDATE sequence.installation SET {row}")

    status = await until_held(api)
    assert status["held"]
    assert because in status["because"]
    assert not (await operator(api, "POST", "/release", nothing_lost=True))["held"]
    assert not await admin.fetchval("SELECT moved OR copied OR elsewhere FROM views.hold")


async def test_nobody_sends_in_a_database_that_is_held_before_anybody_noticed(admin: asyncpg.Connection) -> None:
    """The fault is planted in a transaction that no process sees: the row alone says no."""
    transaction = admin.transaction()
    await transaction.start()
    for row in CARRIED.values():
        await admin.execute(f"UPDATE sequence.installation SET {HERE}")
        assert not await admin.fetchval("SELECT held OR elsewhere FROM views.hold")
        await admin.execute(f"UPDATE sequence.installation SET {row}")
        assert await admin.fetchval("SELECT held OR elsewhere FROM views.hold")
        await admin.execute(f"UPDATE sequence.installation SET timeline = postroad.timeline(), {HERE}")
        await admin.execute(
            "UPDATE sequence.installation SET system_identifier = (SELECT system_identifier FROM pg_control_system()),"
            " database_oid = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    await transaction.rollback()


async def test_a_failover_is_followed_only_where_that_is_allowed_and_a_sender_was_alive_just_now(
    module_database: Database, api_vhost: str, tmp_path: Path
) -> None:
    log, allowed = tmp_path / "api.log", {"POSTROAD_SEQUENCE_API_FAILOVER_SECONDS": "120"}
    async with start(module_database, api_vhost, log, **allowed) as process, http_client() as http:
        api = await api_of(process, http, api_vhost)
        admin = await asyncpg.connect(module_database.admin_dsn)

        async def fits() -> bool:
            return not await admin.fetchval("SELECT moved FROM views.hold")

        for seconds_ago, held in ((5, False), (600, True)):
            await admin.execute("DELETE FROM delivery.incarnations")
            await admin.execute(
                "INSERT INTO delivery.incarnations (incarnation_id, host, pid, expires_at, beat_at)"
                " VALUES ($1, 'here', 1, postroad.now(), postroad.now() - make_interval(secs => $2))",
                new_id(),
                seconds_ago,
            )
            await admin.execute(f"UPDATE sequence.installation SET timeline = timeline + 1, {HERE}")
            await eventually(fits, timeout=20, reason="the new timeline is noticed")
            assert (await operator(api, "GET"))["held"] is held
        await admin.close()


async def test_what_may_have_been_sent_keeps_the_database_held_until_it_is_recorded(
    api: Api, admin: asyncpg.Connection, tenant: Tenant
) -> None:
    one = await tenant.enrolled()
    await one.taken_up(next_due_at=await one.now("-1 hour"), wake_at=await one.now("1 hour"))
    await operator(api, "POST", "/hold", because="restored a snapshot of the volume")
    assert "lost_step_waits" in await rules_broken(tenant)
    assert (await operator(api, "POST", "/release", expect=409))["code"] == "not_reconciled"

    status = await operator(api, "POST", "/reconcile")
    assert (status["because"], status["lost_until"]) == ("restored a snapshot of the volume", status["held_at"])
    refused = await operator(api, "POST", "/release", expect=409)
    assert refused["code"] == "not_verified"
    named = {broken["tenant_id"]: broken["rules"] for broken in refused["tenants"]}
    assert "lost_step_waits" in named[str(tenant.tenant_id)]

    await admin.execute(
        "UPDATE schedule.progress SET next_due_at = postroad.now() + interval '1 hour' WHERE tenant_id = $1",
        tenant.tenant_id,
    )
    assert "lost_step_waits" not in await rules_broken(tenant)


async def test_once_steps_are_being_recorded_nobody_can_say_that_nothing_was_lost(
    api: Api, admin: asyncpg.Connection
) -> None:
    """They would be withheld for ever: the time that was lost stays."""
    await operator(api, "POST", "/hold")
    await operator(api, "POST", "/reconcile")
    assert (await operator(api, "POST", "/release", expect=409, nothing_lost=True))["code"] == "reconciling"

    await admin.execute(f"UPDATE sequence.installation SET reconciling_at = NULL, {HERE}")  # as when it is held anew
    assert (await operator(api, "POST", "/release", expect=409, nothing_lost=True))["code"] == "reconciling"
    assert "postroad restore reconcile" in (await operator(api, "GET"))["advice"]


async def rules_broken(tenant: Tenant) -> set[str]:
    """The rules that do not hold for the tenant."""
    return {rule["rule"] for rule in (await tenant.call("GET", "/verify"))["rules"] if rule["count"]}


async def test_message_ids_of_a_mail_servers_log_settle_what_is_unknown(api: Api, tenant: Tenant) -> None:
    unknown, accepted = await tenant.enrolled(), await tenant.enrolled()
    await unknown.message("unknown", gated_at=None)
    await accepted.message("accepted")
    ids = [message_id_for(tenant.tenant_id, one.enrollment_id, "step-1") for one in (unknown, accepted)]
    lost = new_id()

    taken = await operator(
        api,
        "POST",
        "/evidence",
        message_ids=[f"<{ids[0].hex}@ours.example>", str(ids[1]), f"{lost.hex}@ours.example", "<CAF=x@gmail.example>"],
    )

    assert (taken["proving"], taken["known"], taken["not_found"]) == (1, 1, 2)
    assert set(taken["examples_not_found"]) == {f"{lost.hex}@ours.example", "<CAF=x@gmail.example>"}


async def test_what_an_operator_asks_wrongly_is_named(api: Api, tenant: Tenant) -> None:
    assert (await operator(api, "POST", "/reconcile", expect=409))["code"] == "not_held"
    ahead = await operator(api, "POST", "/reconcile", expect=422, until="2999-01-01T00:00:00Z")
    assert ahead["field"] == "until"
    await operator(api, "POST", "/reconcile", expect=422, since="2026-01-01T00:00:00")
    await operator(api, "POST", "/evidence", expect=422, message_ids=[])
    assert (await api.ask("GET", "/operator/restore", key=tenant.key)).status_code == 401
