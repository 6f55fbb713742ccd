"""Bad input in every field of every endpoint: a 4xx problem that names the field, never a 5xx, and nothing is kept."""

import asyncio
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import pytest
import pytest_asyncio

from postroad_common.ids import new_id
from postroad_sequence_api.app import ROUTES
from postroad_sequence_api.endpoints import read
from postroad_stack.fake_esps import FakeSendGrid
from postroad_stack.process import Process
from tests.size import FULL

from .house import OPERATOR_TOKEN, Tenant, csv_of, name_of

T = TypeVar("T")
pytestmark = pytest.mark.asyncio(loop_scope="module")
ID = str(new_id())
STEP = {"key": "k", "kind": "email", "template_id": ID, "delay": "1d", "preferred_time": "09:30", "thread": "new"}
CONTACT = {
    "email": "a@b.example", "external_id": "e", "first_name": "f", "last_name": "l", "company": "c", "kind": "lead",
    "timezone": "UTC", "attributes": {"a": "b"},
}  # fmt: skip
ACCOUNT = {"name": "n", "domain": "b.example", "external_id": "e", "attributes": {"a": "b"}}
SENDER = {
    "name": "n", "from_email": "a@b.example", "from_name": "f", "reply_to": "r@b.example", "esp": "smtp",
    "host": "h", "port": 25, "security": "tls", "username": "u", "password": "p", "max_connections": 1,
}  # fmt: skip
HOOK = {"url": "https://8.8.8.8/", "event_types": ["message.opened"], "description": "d", "enabled": True}
BODIES: dict[str, dict[str, Any]] = {
    "POST /v1/tenants": {"name": "n", "timezone": "UTC", "postal_address": "p"},
    "PATCH /v1/tenant": {"name": "n", "timezone": "UTC", "postal_address": "p"},
    "POST /v1/api-keys": {"name": "n", "role": "viewer", "scopes": ["contacts:read"],
                          "expires_at": "2099-01-01T00:00:00Z"},
    "POST /v1/contacts": CONTACT,
    "PATCH /v1/contacts/{id}": CONTACT,
    "PUT /v1/contacts/external/{external_id}": {**CONTACT, "external_id": "e-1"},
    "POST /v1/contacts/batch": {"contacts": [{}]},  # what is wrong with an item is its result: test_upserts
    "POST /v1/contacts/export": {"columns": ["email"]},  # a bad filter has a problem of its own: test_exports
    "POST /v1/contacts/erase": {"contact_ids": [ID]},
    "POST /v1/messages/{id}/settle": {"outcome": "sent", "because": "its log"},
    "POST /v1/accounts": ACCOUNT,
    "PATCH /v1/accounts/{id}": ACCOUNT,
    "PUT /v1/accounts/external/{external_id}": {"name": "n", "domain": "b.example", "attributes": {"a": "b"}},
    "POST /v1/attributes": {"entity": "contact", "name": "n", "type": "text", "description": "d", "indexed": False},
    "PATCH /v1/attributes/{id}": {"description": "d", "indexed": False, "archived": False},
    "POST /v1/senders": SENDER,
    "PATCH /v1/senders/{id}": SENDER,
    "POST /v1/templates": {"name": "n", "subject": "s", "html": "h", "text": "t"},
    "PUT /v1/templates/{id}": {"name": "n", "subject": "s", "html": "h", "text": "t"},
    "POST /v1/templates/{id}/preview": {"contact_id": ID, "sender_id": ID},
    "POST /v1/sequences": {"name": "n", "sender_id": ID, "steps": [STEP]},
    "PUT /v1/sequences/{id}": {"name": "n", "sender_id": ID, "steps": [STEP]},
    "POST /v1/sequences/{id}/clone": {"name": "n", "version": 1},
    "POST /v1/sequences/{id}/archive": {"stop_running": True},
    "POST /v1/sequences/{id}/enrollments": {"contact_ids": [ID]},
    "POST /v1/sequences/{id}/enrollments/bulk": {"all": True},
    "POST /v1/suppressions": {"email": "a@b.example", "reason": "r"},
    "POST /v1/webhook-sources": {"name": "n", "esp": "sendgrid", "public_keys": [FakeSendGrid().public_key]},
    "POST /v1/webhook-subscriptions": HOOK,
    "PATCH /v1/webhook-subscriptions/{id}": HOOK,
    "POST /v1/webhook-subscriptions/{id}/rotate-secret": {"overlap_hours": 1},
    "POST /v1/webhook-subscriptions/{id}/replay": {"since": "2026-01-01T00:00:00Z"},
    "POST /v1/operator/parking/replay": {"queue": "sender.due", "limit": 1},
    "POST /v1/operator/restore/hold": {"because": "b"},
    "POST /v1/operator/restore/reconcile": {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"},
    "POST /v1/operator/restore/evidence": {"message_ids": ["m"]},
    "POST /v1/operator/restore/release": {"nothing_lost": True},
}  # fmt: skip
"""A sound body for every endpoint that takes one."""

MAY_BREAK_LINES = {"html", "text", "attributes.a", "description"}
"""Fields that no mail header shows: line breaks belong there. NUL belongs nowhere."""

EVENT_PICKS = {
    "after": ["x", "-1", "1" * 19, "\u0663", ID], "type": ["seen"], "sequence_id": ["x"], "contact_id": ["x"],
    "enrollment_id": ["x"], "message_id": ["\x00"],
    "since": ["yesterday", "2026-01-01T00:00:00", "2026-99-99T00:00:00Z"],
    "until": ["x", "0001-01-01T00:00:00+09:00", "0.5", "1795359600"],
}  # fmt: skip
QUERIES: dict[str, dict[str, list[str]]] = {
    "/contacts": {"after": ["x", "%00"], "limit": ["0", "201", "x", "1e9", "-1"], "email": ["x", "a\x00@b.example"],
                  "filter": ["", "\x00", "nonsense = 1"], "q": ["\x00"]},
    "/contacts/count": {"filter": ["x", "a\x00", "opened and"], "q": ["", "\x00"], "kind": ["x"], "account_id": ["x"]},
    "/accounts": {"after": ["x"], "limit": ["0"], "domain": ["a b", "\x00"], "external_id": ["\x00"]},
    "/attributes": {"after": ["x"], "limit": ["0"], "entity": ["x"]},
    "/senders": {"after": ["x"], "limit": ["0"]},
    "/templates": {"after": ["x"], "limit": ["0"]},
    "/api-keys": {"after": ["x"], "limit": ["0"]},
    "/sequences": {"after": ["x"], "limit": ["0"], "state": ["running", "a\x00"]},
    "/enrollments": {"after": ["x"], "sequence_id": ["x"], "contact_id": ["\x00"], "state": ["waiting"], "limit": [""]},
    "/suppressions": {"after": ["x"], "email": ["\x00", "a\r\n@b.example"], "limit": ["999"]},
    "/messages": {"after": ["x", f"{ID}.", f"{ID}.a\x00", f"{ID}.A"], "sequence_id": ["x"], "contact_id": ["x"],
                  "enrollment_id": ["x"], "state": ["sent"], "limit": ["0"]},
    "/events": EVENT_PICKS | {"limit": ["0", "1001"]},
    "/events/export": EVENT_PICKS | {"limit": ["50"]},
    "/jobs": {"after": ["x"], "kind": ["delete"], "state": ["receiving"], "limit": ["0"]},
    "/intents": {"after": ["x"], "limit": ["0"], "sequence_id": ["x"], "enrollment_id": ["\x00"], "sender_id": ["x"],
                 "email": ["x", "\x00"]},
    "/analytics/overview": {"since": ["x", "2026-01-01"], "until": ["yesterday"]},
    "/webhook-subscriptions": {"after": ["x"], "limit": ["0"]},
    "/operator/parking": {"limit": ["0", "101", "x"]},
}  # fmt: skip
"""For every parameter of every list, values that it does not take."""


@pytest.fixture(scope="module", autouse=True)
def logged_before(api_process: tuple[Process, str]) -> int:
    """How long the log was when the first of these tests began: clients that went away in others stand in it."""
    process, _ = api_process
    return len(process.log.read_text())


@pytest_asyncio.fixture(loop_scope="module")
async def tenant(module_tenant: Tenant) -> Tenant:
    """One for all, since nothing that is refused changes it."""
    return module_tenant


def some(cases: Sequence[T], route: str, routes: Sequence[str] | Mapping[str, Any]) -> Sequence[T]:
    """All cases at full size; reduced, a third of them, another one from route to route."""
    return cases if FULL else cases[list(routes).index(route) % 3 :: 3]


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    else:
        yield path


def changed(body: Any, path: tuple[str | int, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(body))
    inner = copy
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return copy


def bad_values(path: tuple[str | int, ...], good: Any) -> Iterator[Any]:
    """What a field of this kind must refuse."""
    if isinstance(good, str):
        yield from ("a\x00b", "\x00", "x" * (500_001 if path[0] in {"html", "text"} else 2_001))
        if ".".join(map(str, path)) not in MAY_BREAK_LINES:
            yield from ("a\rb", "a\nb", "a\r\nBcc: x@y.example", "a\n", "\ra", "a\u2028b", "a\x0bb", "a\x85b", "a\x1bb")
    if path[0] != "attributes":
        yield from ([], {}, [1], {"a": 1})
        yield from (3.5, 10**30) if not isinstance(good, int) else ("1", 0.5, -(10**30), 10**30)
        yield from () if isinstance(good, bool) else (True,)
    else:
        yield from ([], {}, 10**30)


PATH = {"external_id": "e-1", "id": ID, "version": "1", "email": "a@b.example"}


async def ask(tenant: Tenant, name: str, **request: Any) -> Any:
    method, path = name.split()
    key = OPERATOR_TOKEN if "/operator/" in path or path == "/v1/tenants" else tenant.key
    return await tenant.ask(method, path.removeprefix("/v1").format(**PATH), key=key, **request)


def check(name: str, response: Any, statuses: set[int], shown: str) -> Any:
    assert response.status_code in statuses, f"{name} {shown[:200]}: {response.status_code} {response.text[:500]}"
    assert response.headers["Content-Type"] == "application/problem+json", name
    return response.json()


async def test_every_endpoint_that_takes_a_body_is_in_the_table() -> None:
    takes_none = {
        "POST /v1/contacts/import",  # CSV: test_imports
        "POST /v1/sequences/{id}/enrollments/import",  # CSV: test_bulk
        "POST /v1/jobs/{id}/cancel",
        "POST /v1/contacts/{id}/erase",
        *(f"POST /v1/{things}/{{id}}/{action}" for things in ("senders", "sequences", "enrollments")
          for action in ("pause", "resume", "stop", "activate")),
        "POST /v1/webhook-subscriptions/{id}/test",
        "POST /v1/webhook-deliveries/{id}/retry",
    }  # fmt: skip
    posts = {name_of(route) for route in ROUTES if route.method in {"POST", "PUT", "PATCH"}}
    assert posts - takes_none == set(BODIES)


CHECKED_LAST = {("url",)}
"""Fields of which more is asked than their schema says, once all fields fit theirs."""


def wrong_at_once(body: Any) -> Iterator[dict[tuple[str | int, ...], Any]]:
    """Bad values by their places: at full size each alone, reduced the first of every field, the second, and so on."""
    values = {path: list(bad_values(path, value_at(body, path))) for path in leaves(body)}
    together = {path: bad for path, bad in values.items() if not FULL and path not in CHECKED_LAST}
    for n in range(max(map(len, together.values()), default=0)):
        yield {path: bad[n % len(bad)] for path, bad in together.items()}
    yield from ({path: value} for path in values.keys() - together.keys() for value in values[path])


def value_at(body: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        body = body[part]
    return body


@pytest.mark.parametrize("name", BODIES)
async def test_a_bad_value_in_any_field_is_refused_and_the_field_is_named(tenant: Tenant, name: str) -> None:
    for wrong in wrong_at_once(BODIES[name]):
        body = BODIES[name]
        for path, value in wrong.items():
            body = changed(body, path, value)
        problem = check(name, await ask(tenant, name, json=body), {422}, f"{wrong!r:.300}")
        where = [error["field"] for error in problem["errors"]]
        for path, value in wrong.items():
            dotted = ".".join(map(str, path))
            assert any(f"{field}.".startswith(f"{dotted}.") for field in where), f"{name} {path} {value!r:.80}: {where}"


@pytest.mark.parametrize("name", BODIES)
async def test_a_field_that_is_unknown_missing_or_renamed_is_refused(tenant: Tenant, name: str) -> None:
    body = BODIES[name]
    problem = check(name, await ask(tenant, name, json={**body, "surprise": 1}), {422}, "unknown field")
    assert problem["field"] == "surprise"
    for field in body:
        response = await ask(
            tenant, name, json={n: v for n, v in body.items() if n != field} | {field + "x": body[field]}
        )
        check(name, response, {422}, f"renamed {field}")


JSON = "application/json"
BROKEN_BODIES: dict[str, tuple[str, bytes, set[int]]] = {
    "no JSON": (JSON, b"hello", {400, 422}),
    "half": (JSON, b'{"name": ', {400, 422}),
    "nothing": (JSON, b"", {400, 422}),
    "a number": (JSON, b"1", {400, 422}),
    "a list": (JSON, b"[]", {400, 422}),
    "null": (JSON, b"null", {400, 422}),
    "NaN": (JSON, b'{"name": NaN}', {400, 422}),
    "a lone surrogate": (JSON, b'{"name": "\\ud800"}', {400, 422}),
    "no UTF-8": (JSON, b'{"name": "\xff"}', {400, 422}),
    "deep": (JSON, b"[" * 100_000, {400, 422}),
    "deep objects": (JSON, b'{"a":' * 100_000, {400, 422}),
    "a huge number": (JSON, b'{"name": ' + b"9" * 10_000 + b"}", {400, 422}),
    "NUL bytes": (JSON, b"\x00" * 10, {400, 422}),
    "text": ("text/plain", b"{}", {415}),
    "a form": ("application/x-www-form-urlencoded", b"{}", {415}),
    "a form in parts": ("multipart/form-data", b"{}", {415}),
    "UTF-16": ("application/json; charset=utf-16", b"{}", {415}),
    "3 MB": (JSON, b"{" + b" " * (3 * 2**20) + b"}", {413}),
}


MAY_BE_LEFT_OUT = {name_of(route) for route in ROUTES if read(route.handler, route.path).body_optional}


@pytest.mark.parametrize("name", [name for name in BODIES if name not in MAY_BE_LEFT_OUT])
async def test_a_body_that_is_no_object_of_json_is_refused(tenant: Tenant, name: str) -> None:
    for shown in some(list(BROKEN_BODIES), name, BODIES):
        kind, body, statuses = BROKEN_BODIES[shown]
        response = await ask(tenant, name, content=body, headers={"Content-Type": kind})
        problem = check(name, response, statuses, shown)
        assert (problem.get("limit") == 2 * 2**20) == (response.status_code == 413)


COMPRESSED = {
    "no gzip": ("gzip", b"hello"),
    "half a gzip": ("gzip", gzip.compress(b'{"name": "n"}')[:-9]),
    "a bomb": ("gzip", gzip.compress(b" " * (30 * 2**20), 1)),
    "no deflate": ("deflate", b"\xff" * 20),
    "an unknown coding": ("zip", b"hello"),
}


@pytest.mark.parametrize("shown", COMPRESSED)
@pytest.mark.parametrize(
    ("path", "kind"), [("/templates", "application/json"), ("/contacts/import", "text/csv")], ids=["json", "csv"]
)
async def test_a_broken_or_swollen_compression_is_refused(tenant: Tenant, path: str, kind: str, shown: str) -> None:
    coding, body = COMPRESSED[shown]
    headers = {"Content-Type": kind, "Content-Encoding": coding}
    response = await tenant.ask("POST", path, content=body, headers=headers)
    check(path, response, {400, 413, 415, 422}, shown)


async def test_a_body_where_none_is_needed_may_be_left_out_but_not_be_broken(tenant: Tenant) -> None:
    made = await tenant.sequence()
    path = f"/sequences/{made['id']}/archive"
    await tenant.refused("POST", path, 400, content=b"{", headers={"Content-Type": "application/json"})
    await tenant.refused("POST", path, 415, content=b"stop_running=1", headers={"Content-Type": "text/plain"})
    assert (await tenant.call("POST", path))["state"] == "archived"


@pytest.mark.parametrize("path", QUERIES)
async def test_a_parameter_that_is_wrong_unknown_or_given_twice_is_refused(tenant: Tenant, path: str) -> None:
    name = f"GET /v1{path}"
    for parameter, values in QUERIES[path].items():
        for value in values:
            problem = check(name, await ask(tenant, name, params={parameter: value}), {422}, f"{parameter}={value!r}")
            assert problem["field"].split(".")[0] == parameter
        twice = [(parameter, values[0]), (parameter, values[0])]
        check(name, await ask(tenant, name, params=twice), {422}, f"{parameter} twice")
    assert check(name, await ask(tenant, name, params={"surprise": "1"}), {422}, "unknown")["field"] == "surprise"


async def test_every_list_and_parameter_is_in_the_table() -> None:
    lists = {
        route.path.removeprefix("/v1")
        for route in ROUTES
        if route.method == "GET"
        and "{" not in route.path
        and route.path not in {"/v1/me", "/v1/tenant", "/v1/verify", "/v1/webhook-sources", "/v1/operator/restore"}
    }
    assert lists == set(QUERIES)


STRANGE_IDS = [
    "x",
    "1",
    "%00",
    "%0d%0a",
    "..%2f..%2fetc",
    "' OR 1=1 --",
    "%ff",
    "{" + ID + "}",
    "urn:uuid:" + ID,
    ID + "0",
    "null",
]


TAKE_AN_ID = {name_of(route): route for route in ROUTES if "{id}" in name_of(route)}


@pytest.mark.parametrize("name", TAKE_AN_ID)
async def test_an_id_that_is_none_is_404(tenant: Tenant, name: str) -> None:
    route = TAKE_AN_ID[name]
    for strange in some(STRANGE_IDS, name, TAKE_AN_ID):
        path = name.partition(" ")[2].removeprefix("/v1").replace("{id}", strange).replace("{version}", "1")
        body = csv_of("email\n") if route.takes == "text/csv" else {"json": BODIES.get(name, {})}
        check(name, await tenant.ask(route.method, path, **body), {404}, strange)


@pytest.mark.parametrize(
    "attributes",
    [
        {"a" * 101: 1},
        {"": 1},
        {"a\x00": 1},
        {"a\nb": 1},
        {f"a{n}": n for n in range(101)},
        {"a": "x" * 2001},
        {"a": {"b": {"c": 1}}},
        {"a": [1]},
        {"a": 2**60},
    ],
)
async def test_attributes_are_few_short_and_plain(tenant: Tenant, attributes: dict[str, Any]) -> None:
    problem = await tenant.refused("POST", "/contacts", 422, json={"email": "a@b.example", "attributes": attributes})
    assert problem["field"].startswith("attributes")


async def test_strange_but_sound_text_is_kept_as_it_is(tenant: Tenant) -> None:
    for text in (
        "O'Brien; DROP TABLE contacts;--",
        "日本語 العربية 🎉",
        "=SUM(A1)",
        "<script>",
        "{{ x }}",
        "\\u0000",
        "%s%n",
    ):
        made = await tenant.contact(company=text)
        assert (await tenant.call("GET", f"/contacts/{made['id']}"))["company"] == text


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /v1/contacts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a-key-of-somebody\x01\r\n\r\n",
        b"GET /v1/contacts?email=ada@somebody.example name HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/contacts?email=ada@somebody.example&filter=" + b"x" * 2**18 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["header", "request line", "length"],
)
async def test_what_is_no_http_is_refused_and_nothing_of_it_is_logged(tenant: Tenant, request_: bytes) -> None:
    before = len(tenant.api.log())
    url = tenant.api.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(request_)
    answer = await reader.read()
    writer.close()
    assert answer.split()[1] == b"400"
    logged = tenant.api.log()[before:]
    assert "refused what is no HTTP request" in logged
    assert "somebody" not in logged
    assert '"level":"error"' not in logged


async def test_nothing_of_all_this_was_a_fault_of_the_service(tenant: Tenant, logged_before: int) -> None:
    assert "request failed" not in tenant.api.log()[logged_before:]
