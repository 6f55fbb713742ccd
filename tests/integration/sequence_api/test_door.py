"""What every request meets: scopes, ends of keys, limits, browsers of other sites, compression."""

import gzip
import re
from typing import Any

import pytest

from postroad_common.ids import new_id
from postroad_sequence_api.api_key_use import UsedKeys
from postroad_sequence_api.app import ROUTES
from postroad_sequence_api.door import Route
from postroad_sequence_api.models.api_keys import NOUNS

from .house import OPERATOR_TOKEN, SECOND_ORIGIN, SECOND_RATE_LIMIT, Api, Tenant

OF_TENANTS = [route for route in ROUTES if route.access != "operator"]
EXPOSED = {"ETag", "Location", "Retry-After", "RateLimit"}


async def scoped(tenant: Tenant, *scopes: str, role: str = "owner", **more: Any) -> str:
    body = {"name": "scoped", "role": role, "scopes": list(scopes), **more}
    return str((await tenant.call("POST", "/api-keys", json=body, expect=201))["key"])


async def ask(tenant: Tenant, route: Route, key: str) -> Any:
    path = re.sub(r"{\w+_id}", str(new_id()), route.path.removeprefix("/v1"))
    path = re.sub(r"{\w+}", "1", path)
    return await tenant.ask(route.method, path, key=key, json={"unknown": 1})


async def test_a_key_without_its_scope_is_refused_at_each_route(tenant: Tenant) -> None:
    for noun in sorted({route.scope.partition(":")[0] for route in OF_TENANTS}):
        others = [f"{other}:write" for other in NOUNS if other != noun]
        key = await scoped(tenant, *others)
        for route in (route for route in OF_TENANTS if route.scope.startswith(f"{noun}:")):
            response = await ask(tenant, route, key)
            assert response.status_code == 403, f"{route.method} {route.path}"
            assert response.json()["needed"] == route.scope


async def test_a_key_that_may_read_changes_nothing_and_one_that_may_write_reads_too(tenant: Tenant) -> None:
    reads = await scoped(tenant, *(f"{noun}:read" for noun in NOUNS))
    writes = await scoped(tenant, *(f"{noun}:write" for noun in NOUNS))
    for route in OF_TENANTS:
        read = await ask(tenant, route, reads)
        assert (read.status_code == 403) == route.scope.endswith(":write"), f"{route.method} {route.path}"
        assert (await ask(tenant, route, writes)).status_code not in {401, 403}, f"{route.method} {route.path}"


async def test_a_key_gives_no_key_more_than_it_may_itself(tenant: Tenant) -> None:
    maker = await scoped(tenant, "api-keys:write", "contacts:write")
    for scopes in (["contacts:read"], ["contacts:write", "api-keys:read"]):
        body = {"name": "k", "role": "owner", "scopes": scopes}
        await tenant.call("POST", "/api-keys", key=maker, json=body, expect=201)
    beyond: list[dict[str, Any]] = [{"scopes": ["contacts:read", "senders:read"]}, {}, {"scopes": None}]
    for more in beyond:
        body = {"name": "k", "role": "viewer", **more}
        assert (await tenant.refused("POST", "/api-keys", 403, key=maker, json=body))["code"] == "forbidden"
    for role in ("editor", "viewer"):
        body = {"name": "k", "role": "viewer"}
        await tenant.refused("POST", "/api-keys", 403, key=await tenant.key_of(role), json=body)


async def test_a_scope_that_does_not_exist_is_refused(tenant: Tenant) -> None:
    for scope in ("contacts", "contacts:all", "people:read", "*", ""):
        body = {"name": "k", "role": "viewer", "scopes": [scope]}
        assert (await tenant.refused("POST", "/api-keys", 422, json=body))["field"] == "scopes.0"


async def test_a_key_opens_nothing_after_its_end(tenant: Tenant) -> None:
    key = await scoped(tenant, "tenants:read", expires_at="2999-01-01T00:00:00Z")
    await tenant.call("GET", "/me", key=key)
    await tenant.admin.execute(
        "UPDATE sequence.api_keys SET expires_at = postroad.now() WHERE tenant_id = $1 AND expires_at IS NOT NULL",
        tenant.tenant_id,
    )
    assert (await tenant.ask("GET", "/me", key=key)).status_code == 401


async def test_a_key_with_an_end_makes_none_that_outlives_it(tenant: Tenant) -> None:
    key = await scoped(tenant, "api-keys:write", role="owner", expires_at="2999-01-01T00:00:00Z")
    for end, status in ((None, 403), ("2999-01-01T00:00:01Z", 403), ("2999-01-01T00:00:00Z", 201)):
        body = {"name": "k", "role": "viewer", "scopes": ["api-keys:read"], "expires_at": end}
        assert (await tenant.ask("POST", "/api-keys", key=key, json=body)).status_code == status, end


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2999-01-01T00:00:00", 1])
async def test_an_end_that_no_clock_reaches_is_refused(tenant: Tenant, end: Any) -> None:
    body = {"name": "k", "role": "viewer", "expires_at": end}
    assert (await tenant.refused("POST", "/api-keys", 422, json=body))["field"] == "expires_at"


async def test_the_last_use_of_a_key_is_written(tenant: Tenant, api_pool: Any) -> None:
    me = await tenant.call("GET", "/me")
    used = UsedKeys()
    used.note(tenant.tenant_id, me["api_key"]["id"])
    used.note(tenant.tenant_id, new_id())
    assert await used.write(api_pool) is False
    seen = await tenant.call("GET", f"/api-keys/{me['api_key']['id']}")
    assert seen["last_used_at"] is not None


async def test_each_answer_says_what_is_left_to_the_key(tenant: Tenant) -> None:
    for method, path, status in (
        ("GET", "/me", 200),
        ("GET", f"/contacts/{new_id()}", 404),
        ("POST", "/contacts", 422),
    ):
        answer = await tenant.ask(method, path, json={})
        assert answer.status_code == status
        assert answer.headers["RateLimit-Policy"] == '"default";q=6000;w=60'
        assert re.fullmatch(r'"default";r=59\d\d;t=\d+', answer.headers["RateLimit"])
    assert "RateLimit" not in (await tenant.ask("GET", "/operator/parking", key=OPERATOR_TOKEN)).headers


async def test_a_key_that_asks_too_often_is_told_when_to_go_on_and_others_go_on(
    tenant: Tenant, second_api: Api
) -> None:
    busy, quiet = await tenant.key_of("viewer"), await tenant.key_of("viewer")
    for _ in range(SECOND_RATE_LIMIT * 10):
        answer = await second_api.ask("GET", "/me", key=busy)
        if answer.status_code != 200:
            break
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(answer.headers["Retry-After"]) <= 2
    assert answer.headers["RateLimit"].startswith('"default";r=0;')
    assert (await second_api.ask("GET", "/me", key=quiet)).status_code == 200


async def test_a_page_of_a_site_that_is_named_may_call_and_another_s_may_not(tenant: Tenant, second_api: Api) -> None:
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    answer = await second_api.http.options("/v1/contacts", headers={"Origin": SECOND_ORIGIN, **asks})
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == SECOND_ORIGIN
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert {"Authorization", "Content-Type", "Idempotency-Key", "If-Match"} <= set(
        answer.headers["Access-Control-Allow-Headers"].split(", ")
    )
    for origin, api in (("https://evil.example.com", second_api), (SECOND_ORIGIN, tenant.api)):
        refused = await api.http.options("/v1/contacts", headers={"Origin": origin, **asks})
        assert "Access-Control-Allow-Origin" not in refused.headers
        assert "Access-Control-Allow-Methods" not in refused.headers


async def test_the_page_may_read_problems_and_headers_too(tenant: Tenant, second_api: Api) -> None:
    origin = {"Origin": SECOND_ORIGIN}
    for key, path, status in ((tenant.key, "/me", 200), (tenant.key, "/nothing", 404), ("x", "/me", 401)):
        answer = await second_api.ask("GET", path, key=key, headers=origin)
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == SECOND_ORIGIN
        assert set(answer.headers["Access-Control-Expose-Headers"].split(", ")) >= EXPOSED
        assert "Origin" in answer.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
    other = await second_api.ask("GET", "/me", key=tenant.key, headers={"Origin": "https://evil.example.com"})
    assert "Access-Control-Allow-Origin" not in other.headers


async def test_the_longest_filter_of_the_document_is_read_however_it_is_encoded(tenant: Tenant) -> None:
    longest = 'company = "' + "\N{GRINNING FACE}" * 3988 + '"'
    assert len(longest) == 4000
    assert (await tenant.call("GET", "/contacts", params={"filter": longest}))["items"] == []


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=1.2.3", False),
        ("gzip;q=.", False),
        ("identity", False),
        ("", False),
    ],
)
async def test_a_long_answer_is_compressed_for_those_who_take_it(
    tenant: Tenant, accepted: str, *, compressed: bool
) -> None:
    await tenant.template(html="<p>long</p>" * 200)
    [listed] = (await tenant.call("GET", "/templates"))["items"]
    path = f"/v1/templates/{listed['id']}"
    headers = {"Accept-Encoding": accepted, "Authorization": f"Bearer {tenant.key}"}
    async with tenant.api.http.stream("GET", path, headers=headers) as answer:
        raw = b"".join([part async for part in answer.aiter_raw()])
    assert ("Content-Encoding" in answer.headers) == compressed
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert b"<p>long</p>" in (gzip.decompress(raw) if compressed else raw)


async def test_the_description_and_its_page_are_served_to_everybody(api: Api) -> None:
    document = (await api.http.get("/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    page = await api.http.get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert page.headers["X-Content-Type-Options"] == "nosniff"
