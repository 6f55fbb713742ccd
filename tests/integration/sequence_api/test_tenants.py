"""Tenants, their keys, and what each key may do."""

import base64

import pytest

from postroad_common.ids import new_id, pack_ref
from postroad_sequence_api.app import ROUTES
from postroad_sequence_api.auth import Role

from .house import OPERATOR_TOKEN, Api, Tenant, name_of


async def test_the_operator_makes_a_tenant_and_its_first_key_owns_it(api: Api, tenant: Tenant) -> None:
    me = await tenant.call("GET", "/me")
    assert me["tenant"]["id"] == str(tenant.tenant_id)
    assert me["tenant"]["timezone"] == "UTC"
    assert me["api_key"]["role"] == "owner"
    assert "key" not in me["api_key"]


async def test_nobody_but_the_operator_makes_a_tenant(api: Api, tenant: Tenant) -> None:
    for key in (None, tenant.key, "operator-token-of-the-testS", "x"):
        response = await api.ask("POST", "/tenants", key=key, json={"name": "Mine"})
        assert response.status_code == 401, key
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert response.headers["Content-Type"] == "application/problem+json"


async def test_the_operator_s_token_opens_no_tenant(api: Api) -> None:
    assert (await api.ask("GET", "/me", key=OPERATOR_TOKEN)).status_code == 401


async def test_a_key_is_kept_as_a_hash_only(tenant: Tenant) -> None:
    [row] = await tenant.admin.fetch("SELECT * FROM sequence.api_keys WHERE tenant_id = $1", tenant.tenant_id)
    assert tenant.key[47:] not in str(dict(row))
    assert len(row["secret_hash"]) == 32
    assert tenant.key not in tenant.api.log()


def broken(key: str) -> dict[str, str]:
    other = pack_ref(new_id(), new_id())
    flipped = "A" if key[60] != "A" else "B"
    return {
        "no key": "hello",
        "cut": key[:-1],
        "longer": key + "A",
        "another secret": key[:60] + flipped + key[61:],
        "another prefix": "px_" + key[3:],
        "a key that never was": f"pr_{other}_{key[47:]}",
        "no separator": key[:46] + "x" + key[47:],
        "no base64": key[:10] + "!" + key[11:],
        "zeros": "pr_" + base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=") + "_" + key[47:],
    }


async def test_a_broken_key_is_401_and_does_not_say_what_is_wrong_with_it(tenant: Tenant) -> None:
    answers = set()
    for name, key in broken(tenant.key).items():
        response = await tenant.ask("GET", "/me", key=key)
        assert response.status_code == 401, name
        assert response.headers["WWW-Authenticate"]
        answers.add(response.text)
    assert len(answers) == 1


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "pr_x", "Bearer \u00e9"])
async def test_another_authorization_header_is_401(tenant: Tenant, header: str) -> None:
    response = await tenant.api.http.get("/v1/me", headers={b"Authorization": header.encode()})
    assert response.status_code == 401


async def test_a_revoked_key_opens_nothing_at_once(tenant: Tenant) -> None:
    made = await tenant.call("POST", "/api-keys", json={"name": "phone", "role": "editor"}, expect=201)
    await tenant.call("GET", "/me", key=made["key"])
    revoked = await tenant.call("DELETE", f"/api-keys/{made['id']}")
    assert revoked["revoked_at"]
    assert (await tenant.ask("GET", "/me", key=made["key"])).status_code == 401
    again = await tenant.call("DELETE", f"/api-keys/{made['id']}")
    assert again["revoked_at"] == revoked["revoked_at"]


async def test_the_last_owner_key_cannot_be_revoked(tenant: Tenant) -> None:
    me = await tenant.call("GET", "/me")
    problem = await tenant.refused("DELETE", f"/api-keys/{me['api_key']['id']}", 409)
    assert problem["code"] == "last_owner"
    await tenant.key_of("owner")
    await tenant.call("DELETE", f"/api-keys/{me['api_key']['id']}")


async def test_no_answer_is_kept_by_a_cache(tenant: Tenant) -> None:
    made = await tenant.ask("POST", "/api-keys", json={"name": "phone", "role": "viewer"})
    assert made.headers["Cache-Control"] == "no-store"


async def test_keys_are_listed_without_their_secrets(tenant: Tenant) -> None:
    await tenant.key_of("viewer")
    listed = await tenant.call("GET", "/api-keys")
    assert [key["role"] for key in listed["items"]] == ["owner", "viewer"]
    assert all("key" not in key for key in listed["items"])


SOME_ID = str(new_id())


@pytest.mark.parametrize("role", ["viewer", "editor"])
async def test_a_role_may_what_the_route_table_gives_it_and_nothing_more(tenant: Tenant, role: str) -> None:
    key = await tenant.key_of(role)
    for route in ROUTES:
        path = name_of(route).partition(" ")[2].removeprefix("/v1")
        path = path.format(id=SOME_ID, version=1, email="a@b.example", external_id="e-1")
        response = await tenant.ask(route.method, path, key=key, json={"unknown": 1})
        if route.access == "operator":
            assert response.status_code == 401, route
        elif route.access > Role[role]:
            assert response.status_code == 403, route
            assert response.json()["needed"] == f"the role {route.access.name}"
        else:
            assert response.status_code not in {401, 403}, route


def test_a_viewer_s_routes_only_read() -> None:
    assert {route.method for route in ROUTES if route.access == Role.viewer} == {"GET"}


async def test_what_is_not_there_is_404_and_a_wrong_method_405_as_problems(tenant: Tenant) -> None:
    await tenant.refused("GET", "/nothing", 404)
    response = await tenant.ask("DELETE", "/me")
    assert response.status_code == 405
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Allow"]
