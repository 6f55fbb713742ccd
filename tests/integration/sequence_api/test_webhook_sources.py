"""Webhook sources: where an ESP reports to, and the secrets that prove it is the ESP."""

import base64
import json
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from postroad_common.ids import unpack_ref
from postroad_common.sealing import KeyRing
from postroad_stack.fake_esps import FakeSendGrid

from .house import KEYS, Tenant


async def opened(tenant: Tenant, source_id: str) -> dict[str, Any]:
    sealed = await tenant.admin.fetchval(
        "SELECT secrets_sealed FROM sequence.webhook_sources WHERE source_id = $1", source_id
    )
    secrets: dict[str, Any] = json.loads(
        KeyRing.parse(KEYS).open("webhook-source", sealed, context=UUID(source_id).bytes)
    )
    return secrets


async def test_a_signing_esp_gives_its_keys_and_gets_an_address_that_carries_the_tenant(tenant: Tenant) -> None:
    key = FakeSendGrid().public_key
    body = {"name": "sg", "esp": "sendgrid", "public_keys": [key]}
    made = await tenant.call("POST", "/webhook-sources", json=body, expect=201)
    base, esp, ref = made["url"].rsplit("/", 2)
    assert (base, esp) == ("https://track.ours.example/webhooks", "sendgrid")
    assert [str(id_) for id_ in unpack_ref(ref)] == [str(tenant.tenant_id), made["id"]]
    assert made["credentials"] is None
    assert await opened(tenant, made["id"]) == {"public_keys": [key]}


async def test_credentials_are_made_when_none_are_given_and_shown_once(tenant: Tenant) -> None:
    made = await tenant.call("POST", "/webhook-sources", json={"name": "pm", "esp": "postmark"}, expect=201)
    [login] = made["credentials"]
    assert len(login["password"]) == 43
    assert await opened(tenant, made["id"]) == {"credentials": [login]}
    for shown in (
        await tenant.call("GET", f"/webhook-sources/{made['id']}"),
        *(await tenant.call("GET", "/webhook-sources"))["items"],
    ):
        assert "credentials" not in shown
        assert shown["url"] == made["url"]


async def test_given_credentials_are_kept(tenant: Tenant) -> None:
    logins = [{"username": "a", "password": "b:c"}, {"username": "d", "password": "e"}]
    body = {"name": "pm", "esp": "postmark", "credentials": logins}
    made = await tenant.call("POST", "/webhook-sources", json=body, expect=201)
    assert await opened(tenant, made["id"]) == {"credentials": logins}


def p384() -> str:
    public = generate_private_key(SECP384R1()).public_key()
    return base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


@pytest.mark.parametrize(
    "body",
    [
        {"esp": "sendgrid"},
        {"esp": "sendgrid", "public_keys": []},
        {"esp": "sendgrid", "public_keys": ["not a key"]},
        {"esp": "sendgrid", "public_keys": ["AAAA"]},
        {"esp": "sendgrid", "public_keys": [p384()]},
        {"esp": "sendgrid", "credentials": [{"username": "a", "password": "b"}]},
        {"esp": "postmark", "public_keys": [FakeSendGrid().public_key]},
        {"esp": "postmark", "credentials": [{"username": "a:b", "password": "c"}]},
        {"esp": "postmark", "credentials": [{"username": "a", "password": "c\r\nd"}]},
        {"esp": "pigeon"},
    ],
)
async def test_secrets_that_do_not_fit_the_esp_are_refused(tenant: Tenant, body: dict[str, Any]) -> None:
    await tenant.refused("POST", "/webhook-sources", 422, json={"name": "x", **body})


async def test_a_deleted_source_is_gone(tenant: Tenant) -> None:
    made = await tenant.call("POST", "/webhook-sources", json={"name": "pm", "esp": "postmark"}, expect=201)
    await tenant.call("DELETE", f"/webhook-sources/{made['id']}", expect=204)
    await tenant.refused("GET", f"/webhook-sources/{made['id']}", 404)
    await tenant.refused("DELETE", f"/webhook-sources/{made['id']}", 404)
