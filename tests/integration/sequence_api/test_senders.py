"""Senders: the accounts that mail goes out by, and their secrets."""

import base64
from typing import Any

import pytest

from postroad_common.sealing import KeyRing

from .house import KEYS, Tenant

LOGIN = {"username": "api", "password": "s3cret-Pässword"}


async def test_a_password_is_stored_sealed_for_its_sender_and_never_answered(tenant: Tenant) -> None:
    made = await tenant.sender(**LOGIN)
    assert made["has_password"] is True
    for answer in (made, await tenant.call("GET", f"/senders/{made['id']}"), await tenant.call("GET", "/senders")):
        assert LOGIN["password"] not in str(answer)
    sealed = await tenant.admin.fetchval(
        "SELECT password_sealed FROM sequence.senders WHERE sender_id = $1", made["id"]
    )
    assert LOGIN["password"].encode() not in sealed
    opened = KeyRing.parse(KEYS).open("sender.password", sealed, context=f"{tenant.tenant_id}:{made['id']}".encode())
    assert opened.decode() == LOGIN["password"]
    assert LOGIN["password"] not in tenant.api.log()
    assert base64.b64encode(LOGIN["password"].encode()).decode() not in tenant.api.log()


async def test_a_refused_password_is_not_repeated_in_the_answer(tenant: Tenant) -> None:
    body = {
        "name": "n",
        "from_email": "a@b.example",
        "host": "h",
        "port": 25,
        "username": "u",
        "password": "top\nsecret",
    }
    problem = await tenant.refused("POST", "/senders", 422, json=body)
    assert problem["field"] == "password"
    assert "secret" not in str(problem)


@pytest.mark.parametrize(
    "change", [{"host": "mail.evil.example"}, {"port": 26}, {"security": "none"}, {"username": "x"}]
)
async def test_a_stored_password_goes_to_no_other_server_than_it_was_given_for(
    tenant: Tenant, change: dict[str, Any]
) -> None:
    made = await tenant.sender(**LOGIN)
    problem = await tenant.refused("PATCH", f"/senders/{made['id']}", 422, json=change)
    assert problem["field"] == "password"
    changed = await tenant.call("PATCH", f"/senders/{made['id']}", json={**change, "password": "again"})
    assert changed["has_password"] is True
    assert {name: changed[name] for name in change} == change


async def test_a_change_keeps_what_it_does_not_name(tenant: Tenant) -> None:
    made = await tenant.sender(**LOGIN, from_name="Us", reply_to="answers@ours.example")
    changed = await tenant.call("PATCH", f"/senders/{made['id']}", json={"from_name": "We", "reply_to": None})
    assert {name for name in made if made[name] != changed[name]} == {"from_name", "reply_to", "updated_at", "revision"}


async def test_username_and_password_come_and_go_together(tenant: Tenant) -> None:
    body = {"name": "n", "from_email": "a@b.example", "host": "h", "port": 25}
    await tenant.refused("POST", "/senders", 422, json={**body, "username": "u"})
    await tenant.refused("POST", "/senders", 422, json={**body, "password": "p"})
    made = await tenant.sender(**LOGIN)
    await tenant.refused("PATCH", f"/senders/{made['id']}", 422, json={"password": None})
    without = await tenant.call("PATCH", f"/senders/{made['id']}", json={"username": None, "password": None})
    assert without["has_password"] is False


async def test_a_name_is_taken_once(tenant: Tenant) -> None:
    await tenant.sender(name="main")
    body = {"name": "main", "from_email": "a@b.example", "host": "h", "port": 25}
    assert (await tenant.refused("POST", "/senders", 409, json=body))["field"] == "name"


async def test_a_pause_by_the_sending_service_is_shown_with_its_reason(tenant: Tenant) -> None:
    made = await tenant.sender()
    await tenant.admin.execute(
        "INSERT INTO delivery.sender_state (tenant_id, sender_id, paused_at, retry_at, reason)"
        " VALUES ($1, $2, now(), now() + interval '5 min', $3)",
        tenant.tenant_id,
        made["id"],
        '[{"kind": "connection_failed", "error": "authentication refused", "reply": null}]',
    )
    shown = await tenant.call("GET", f"/senders/{made['id']}")
    assert shown["paused_at"] is None
    assert shown["paused_by_us"]["retry_at"] > shown["paused_by_us"]["paused_at"]
    assert shown["paused_by_us"]["reasons"]


async def test_a_sender_that_is_not_paused_cannot_be_resumed(tenant: Tenant) -> None:
    made = await tenant.sender()
    problem = await tenant.refused("POST", f"/senders/{made['id']}/resume", 409)
    assert problem["code"] == "illegal_transition"
    await tenant.call("POST", f"/senders/{made['id']}/pause")
    resumed = await tenant.call("POST", f"/senders/{made['id']}/resume")
    assert resumed["paused_at"] is None
