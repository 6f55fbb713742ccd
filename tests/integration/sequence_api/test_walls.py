"""Tenants are walls: with another tenant's real ids every endpoint says 404 or shows nothing.

The table names for each endpoint a request that works for its own tenant; a new endpoint without one fails the test.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from postroad_sequence_api.app import ROUTES

from .house import CreateTenant, Enrolled, Tenant, csv_of, name_of, new_tenant

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Home:
    """One of each thing, all of one tenant."""

    one: Enrolled
    extra: Enrolled
    template_id: str
    unused_template_id: str
    message_id: str
    unknown_message_id: str
    source_id: str
    key_id: str
    draft_id: str
    free_contact_id: str
    erasable_contact_id: str
    job_id: str
    running_job_id: str
    suppressed: str
    intent_id: str
    subscription_id: str
    other_subscription_id: str
    delivery_id: str
    account_id: str
    attribute_id: str

    @property
    def tenant(self) -> Tenant:
        return self.one.tenant


HOOK = {"url": "https://8.8.8.8/hook", "event_types": ["webhook.disabled"]}


async def furnish(tenant: Tenant) -> Home:
    one, extra = await tenant.enrolled(), await tenant.enrolled()
    message_id = await one.sent()
    await one.source(message_id)
    unknown_message_id = await extra.message("unknown")
    await one.event("opened", message_id)
    await one.stopped("replied")
    source = await tenant.call("POST", "/webhook-sources", json={"name": "pm", "esp": "postmark"}, expect=201)
    key = await tenant.call("POST", "/api-keys", json={"name": "k", "role": "viewer"}, expect=201)
    suppressed = f"suppressed-{tenant.number()}-{tenant.tenant_id}@people.example"
    await tenant.call("POST", "/suppressions", json={"email": suppressed}, expect=201)
    imported = await tenant.import_("email\nnobody\n")
    for path in (f"/senders/{extra.sequence['sender_id']}", extra.path):
        await tenant.call("POST", f"{path}/pause")
        await tenant.call("POST", f"{path}/resume")
    intent_id = await tenant.admin.fetchval(
        "SELECT intent_id FROM sequence.intents WHERE tenant_id = $1 LIMIT 1", tenant.tenant_id
    )
    subscription = await tenant.call("POST", "/webhook-subscriptions", json=HOOK, expect=201)
    delivery_id = uuid4()
    await one.insert(
        "sequence.webhook_deliveries",
        delivery_id=delivery_id,
        subscription_id=UUID(subscription["id"]),
        event_id=delivery_id,
        event_type="webhook.disabled",
        occurred_at=await one.now(),
        body=b"{}",
        state="dead",
        settled_at=await one.now(),
    )
    running_job_id = uuid4()
    await one.insert(
        "sequence.jobs",
        job_id=running_job_id,
        kind="import",
        state="running",
        created_by=UUID(imported.job["created_by"]),
        lease_until=await one.now() + timedelta(days=1),  # no worker takes it
    )
    account = await tenant.call("POST", "/accounts", json={"name": "Acme", "external_id": "a1"}, expect=201)
    attribute = await tenant.call("POST", "/attributes", json={"name": "plan", "type": "text"}, expect=201)
    return Home(
        one=one,
        extra=extra,
        template_id=(await tenant.template())["id"],
        unused_template_id=(await tenant.template())["id"],
        message_id=str(message_id),
        unknown_message_id=str(unknown_message_id),
        source_id=source["id"],
        key_id=key["id"],
        draft_id=(await tenant.draft())["id"],
        free_contact_id=(await tenant.contact())["id"],
        erasable_contact_id=(await tenant.contact())["id"],
        suppressed=suppressed,
        job_id=imported.job["id"],
        running_job_id=str(running_job_id),
        intent_id=str(intent_id),
        subscription_id=subscription["id"],
        other_subscription_id=(await tenant.call("POST", "/webhook-subscriptions", json=HOOK, expect=201))["id"],
        delivery_id=str(delivery_id),
        account_id=account["id"],
        attribute_id=attribute["id"],
    )


@dataclass(frozen=True)
class Case:
    """A request that names a tenant's things; by(home) gives the path's values, the query or the body."""

    by: Callable[[Home], dict[str, str]]
    json: Callable[[Home], Any] | None = None
    query: Callable[[Home], dict[str, str]] | None = None
    csv: bytes = b""
    found: int = 200


def nothing(_: Home) -> dict[str, str]:
    return {}


def sequence(home: Home) -> dict[str, str]:
    return {"id": home.one.sequence["id"]}


def enrollment(home: Home) -> dict[str, str]:
    return {"id": str(home.extra.enrollment_id)}


def contact(home: Home) -> dict[str, str]:
    return {"id": home.one.contact["id"]}


def account(home: Home) -> dict[str, str]:
    return {"id": home.account_id}


def attribute(home: Home) -> dict[str, str]:
    return {"id": home.attribute_id}


def sender(home: Home) -> dict[str, str]:
    return {"id": home.one.sequence["sender_id"]}


def template(home: Home) -> dict[str, str]:
    return {"id": home.template_id}


def job(home: Home) -> dict[str, str]:
    return {"id": home.job_id}


def steps(home: Home) -> list[dict[str, str]]:
    return [{"template_id": home.template_id, "delay": "1d"}]


def whole_draft(home: Home) -> dict[str, Any]:
    return {"sender_id": home.one.sequence["sender_id"], "steps": steps(home)}


def subscription(home: Home) -> dict[str, str]:
    return {"id": home.subscription_id}


def delivery(home: Home) -> dict[str, str]:
    return {"id": home.delivery_id}


TEXT = {"subject": "s", "html": "h"}
ADDRESSED = {
    "GET /v1/contacts/{id}": Case(contact),
    "PATCH /v1/contacts/{id}": Case(contact, lambda _: {"company": "New"}),
    "GET /v1/contacts/{id}/timeline": Case(contact),
    "POST /v1/contacts/{id}/erase": Case(lambda home: {"id": home.erasable_contact_id}, found=202),
    "DELETE /v1/contacts/{id}": Case(lambda home: {"id": home.free_contact_id}, found=204),
    "GET /v1/accounts/{id}": Case(account),
    "PATCH /v1/accounts/{id}": Case(account, lambda _: {"name": "New"}),
    "DELETE /v1/accounts/{id}": Case(account, found=204),
    "GET /v1/attributes/{id}": Case(attribute),
    "PATCH /v1/attributes/{id}": Case(attribute, lambda _: {"description": "New"}),
    "GET /v1/senders/{id}": Case(sender),
    "PATCH /v1/senders/{id}": Case(sender, lambda _: {"from_name": "New"}),
    "POST /v1/senders/{id}/pause": Case(sender),
    "POST /v1/senders/{id}/resume": Case(sender),
    "GET /v1/templates/{id}": Case(template),
    "PUT /v1/templates/{id}": Case(template, lambda _: TEXT),
    "POST /v1/templates/{id}/preview": Case(template, lambda home: {"contact_id": home.one.contact["id"]}),
    "GET /v1/templates/{id}/versions": Case(template),
    "GET /v1/templates/{id}/versions/{version}": Case(lambda home: template(home) | {"version": "1"}),
    "GET /v1/sequences/{id}": Case(sequence),
    "POST /v1/sequences/{id}/clone": Case(sequence, lambda _: {}, found=201),
    "PUT /v1/sequences/{id}": Case(lambda home: {"id": home.draft_id}, whole_draft),
    "POST /v1/sequences/{id}/activate": Case(lambda home: {"id": home.draft_id}),
    "POST /v1/sequences/{id}/pause": Case(sequence),
    "POST /v1/sequences/{id}/resume": Case(sequence),
    "GET /v1/sequences/{id}/versions": Case(sequence),
    "GET /v1/sequences/{id}/versions/{version}": Case(lambda home: sequence(home) | {"version": "1"}),
    "GET /v1/sequences/{id}/versions/{version}/diff": Case(lambda home: sequence(home) | {"version": "1"}),
    "GET /v1/sequences/{id}/stats": Case(sequence),
    "GET /v1/analytics/sequences/{id}/steps": Case(sequence),
    "GET /v1/analytics/sequences/{id}/daily": Case(sequence),
    "POST /v1/sequences/{id}/enrollments": Case(sequence, lambda home: {"contact_ids": [home.one.contact["id"]]}),
    "POST /v1/sequences/{id}/enrollments/bulk": Case(sequence, lambda _: {"all": True}, found=202),
    "POST /v1/sequences/{id}/enrollments/import": Case(sequence, csv=b"email\nnobody@people.example\n", found=202),
    "POST /v1/sequences/{id}/archive": Case(sequence, lambda _: {"stop_running": True}),
    "GET /v1/enrollments/{id}": Case(enrollment),
    "GET /v1/enrollments/{id}/explain": Case(enrollment),
    "GET /v1/enrollments/{id}/timeline": Case(enrollment),
    "POST /v1/enrollments/{id}/pause": Case(enrollment),
    "POST /v1/enrollments/{id}/resume": Case(enrollment),
    "POST /v1/enrollments/{id}/stop": Case(enrollment),
    "GET /v1/intents/{id}": Case(lambda home: {"id": home.intent_id}),
    "GET /v1/messages/{id}": Case(lambda home: {"id": home.message_id}),
    "POST /v1/messages/{id}/settle": Case(
        lambda home: {"id": home.unknown_message_id}, lambda _: {"outcome": "sent", "because": "its log"}, found=202
    ),
    "GET /v1/messages/{id}/source": Case(lambda home: {"id": home.message_id}),
    "GET /v1/webhook-sources/{id}": Case(lambda home: {"id": home.source_id}),
    "DELETE /v1/webhook-sources/{id}": Case(lambda home: {"id": home.source_id}, found=204),
    "GET /v1/webhook-subscriptions/{id}": Case(subscription),
    "PATCH /v1/webhook-subscriptions/{id}": Case(subscription, lambda _: {"description": "New"}),
    "POST /v1/webhook-subscriptions/{id}/test": Case(subscription),
    "POST /v1/webhook-subscriptions/{id}/rotate-secret": Case(subscription),
    "POST /v1/webhook-subscriptions/{id}/replay": Case(subscription, lambda _: {"since": "2026-01-01T00:00:00Z"}),
    "GET /v1/webhook-subscriptions/{id}/deliveries": Case(subscription),
    "GET /v1/webhook-deliveries/{id}": Case(delivery),
    "POST /v1/webhook-deliveries/{id}/retry": Case(delivery),
    "DELETE /v1/webhook-subscriptions/{id}": Case(lambda home: {"id": home.other_subscription_id}, found=204),
    "GET /v1/api-keys/{id}": Case(lambda home: {"id": home.key_id}),
    "DELETE /v1/api-keys/{id}": Case(lambda home: {"id": home.key_id}),
    "GET /v1/jobs/{id}": Case(job),
    "POST /v1/jobs/{id}/cancel": Case(lambda home: {"id": home.running_job_id}),
    "GET /v1/jobs/{id}/events": Case(job),
    "GET /v1/jobs/{id}/report": Case(job),
    "DELETE /v1/templates/{id}": Case(lambda home: {"id": home.unused_template_id}, found=204),
    "DELETE /v1/suppressions/{email}": Case(lambda home: {"email": home.suppressed}, found=204),
}
"""Endpoints that name a thing in their path: another tenant's is 404. What ends a thing comes after what needs it."""

EVENT_PICKS: list[Callable[[Home], dict[str, str]]] = [
    nothing,
    lambda home: {"sequence_id": home.one.sequence["id"]},
    lambda home: {"contact_id": home.one.contact["id"]},
    lambda home: {"enrollment_id": str(home.one.enrollment_id)},
    lambda home: {"message_id": home.message_id},
]
LISTS: dict[str, list[Callable[[Home], dict[str, str]]]] = {
    "GET /v1/contacts": [
        nothing,
        lambda home: {"email": home.one.contact["email"]},
        lambda home: {"filter": f'id = "{home.one.contact["id"]}"'},
        lambda _: {"filter": "enrolled"},
        lambda _: {"filter": 'enrollment.state = "active"'},
        lambda _: {"q": "person-"},
    ],
    "GET /v1/accounts": [nothing, lambda _: {"external_id": "a1"}],
    "GET /v1/attributes": [nothing],
    "GET /v1/senders": [nothing],
    "GET /v1/templates": [nothing],
    "GET /v1/sequences": [nothing, lambda _: {"state": "active"}],
    "GET /v1/enrollments": [
        nothing,
        lambda home: {"sequence_id": home.one.sequence["id"]},
        lambda home: {"contact_id": home.one.contact["id"]},
        lambda _: {"state": "active"},
    ],
    "GET /v1/suppressions": [nothing, lambda home: {"email": home.suppressed}],
    "GET /v1/intents": [
        nothing,
        lambda home: {"sequence_id": home.extra.sequence["id"]},
        lambda home: {"enrollment_id": str(home.extra.enrollment_id)},
        lambda home: {"sender_id": home.extra.sequence["sender_id"]},
        lambda home: {"email": home.suppressed},
    ],
    "GET /v1/messages": [
        nothing,
        lambda home: {"sequence_id": home.one.sequence["id"]},
        lambda home: {"contact_id": home.one.contact["id"]},
        lambda home: {"enrollment_id": str(home.one.enrollment_id)},
    ],
    "GET /v1/events": EVENT_PICKS,
    "GET /v1/events/export": EVENT_PICKS,
    "GET /v1/webhook-sources": [nothing],
    "GET /v1/webhook-subscriptions": [nothing],
    "GET /v1/api-keys": [nothing],
    "GET /v1/jobs": [nothing, lambda _: {"kind": "import"}, lambda _: {"state": "completed"}],
}
"""Lists with each filter that takes an id: another tenant's id shows nothing, and no list shows another's things."""

NAMED_IN_THE_BODY: dict[str, tuple[Callable[[Home, Home], tuple[str, Any]], str]] = {
    "a sender in a new sequence": (
        lambda home, other: (
            "POST /v1/sequences",
            {"name": "n", **whole_draft(home), "sender_id": sender(other)["id"]},
        ),
        "sender_id",
    ),
    "a template in a new sequence": (
        lambda home, other: ("POST /v1/sequences", {"name": "n", **whole_draft(home), "steps": steps(other)}),
        "steps.0.template_id",
    ),
    "a sender in a draft": (
        lambda home, other: (
            f"PUT /v1/sequences/{home.draft_id}",
            {**whole_draft(home), "sender_id": sender(other)["id"]},
        ),
        "sender_id",
    ),
    "a template in a draft": (
        lambda home, other: (f"PUT /v1/sequences/{home.draft_id}", {**whole_draft(home), "steps": steps(other)}),
        "steps.0.template_id",
    ),
    "an account in a contact": (
        lambda _, other: (
            "POST /v1/contacts",
            {"email": f"c-{other.account_id}@people.example", "account_id": other.account_id},
        ),
        "account_id",
    ),
    "a contact in a preview": (
        lambda home, other: (f"POST /v1/templates/{home.template_id}/preview", {"contact_id": contact(other)["id"]}),
        "contact_id",
    ),
    "a sender in a preview": (
        lambda home, other: (
            f"POST /v1/templates/{home.template_id}/preview",
            {"contact_id": contact(home)["id"], "sender_id": sender(other)["id"]},
        ),
        "sender_id",
    ),
}
"""Ids in a body: another tenant's is 404 with the field; the same request with one's own works."""

NAMES_NOTHING = {
    "GET /v1/analytics/overview",
    "POST /v1/tenants",
    "GET /v1/me",
    "GET /v1/tenant",
    "PATCH /v1/tenant",
    "POST /v1/api-keys",
    "POST /v1/contacts",
    "POST /v1/contacts/import",
    "POST /v1/contacts/export",  # its wall is in test_exports
    "POST /v1/contacts/erase",  # its wall is in test_erasures
    "POST /v1/contacts/batch",  # its wall is in test_upserts
    "GET /v1/contacts/count",  # counts what the list shows
    "POST /v1/accounts",
    "POST /v1/attributes",
    "POST /v1/senders",
    "POST /v1/templates",
    "POST /v1/sequences",  # what its body names is in the table above
    "POST /v1/suppressions",
    "POST /v1/webhook-sources",
    "POST /v1/webhook-subscriptions",
    "GET /v1/verify",  # its wall is in test_verify
    "GET /v1/operator/parking",
    "GET /v1/operator/restore",
    "POST /v1/operator/restore/hold",
    "POST /v1/operator/restore/reconcile",
    "POST /v1/operator/restore/evidence",
    "POST /v1/operator/restore/release",
    "POST /v1/operator/parking/replay",
}


NAMED_BY_EACH = {"PUT /v1/contacts/external/{external_id}", "PUT /v1/accounts/external/{external_id}"}
"""Endpoints whose path bears a name that each tenant gives by itself: see test_upserts and test_accounts."""


@pytest.fixture
def create_tenant(module_tenant: Tenant) -> CreateTenant:
    async def create(name: str = "Acme") -> Tenant:
        return await new_tenant(module_tenant.api, module_tenant.admin, name)

    return create


@pytest_asyncio.fixture(loop_scope="module")
async def tenant(create_tenant: CreateTenant) -> Tenant:
    return await create_tenant()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def homes(module_tenant: Tenant) -> tuple[Home, Home]:
    """Two tenants with everything, of which the tests only add to."""
    other = await new_tenant(module_tenant.api, module_tenant.admin, "Other")
    return await furnish(module_tenant), await furnish(other)


async def test_every_endpoint_has_its_case() -> None:
    cased = [*ADDRESSED, *LISTS, *NAMES_NOTHING]
    assert sorted([*cased, *NAMED_BY_EACH]) == sorted(name_of(route) for route in ROUTES)
    assert all(("{" in name) == (name in ADDRESSED) for name in cased)


async def send(tenant: Tenant, name: str, case: Case, home: Home) -> Any:
    method, path = name.split()
    request: dict[str, Any] = {}
    if case.json is not None:
        request["json"] = case.json(home)
    if case.csv:
        request |= csv_of(case.csv)
    return await tenant.ask(method, path.removeprefix("/v1").format(**case.by(home)), **request)


async def test_another_tenant_s_things_are_404_and_one_s_own_are_there(
    tenant: Tenant, homes: tuple[Home, Home]
) -> None:
    home, stranger = await furnish(tenant), homes[1].tenant
    before = await everything(tenant)
    for name, case in ADDRESSED.items():
        response = await send(stranger, name, case, home)
        assert response.status_code == 404, f"{name}: {response.status_code} {response.text}"
        assert response.json()["code"] == "not_found", name
    assert await everything(tenant) == before
    for name, case in ADDRESSED.items():
        response = await send(tenant, name, case, home)
        assert response.status_code == case.found, f"{name}: {response.status_code} {response.text}"


async def everything(tenant: Tenant) -> list[Any]:
    """All rows that the API may write, as they stand. That a job's file has been swept is nobody's request."""
    tables = ("accounts", "attributes", "contacts", "senders", "templates", "sequences", "sequence_versions", "steps",
              "enrollments", "intents", "suppressions", "webhook_sources", "webhook_subscriptions",
              "webhook_deliveries", "api_keys", "jobs")  # fmt: skip
    rows = "SELECT to_jsonb(t) - 'input_deleted_at' FROM sequence.{} t WHERE tenant_id = $1 ORDER BY 1"
    return [await tenant.admin.fetch(rows.format(table), tenant.tenant_id) for table in tables]


async def test_no_list_shows_another_tenant_s_things(homes: tuple[Home, Home]) -> None:
    home, other = homes
    tenant = home.tenant
    for name, queries in LISTS.items():
        path = name.split()[1].removeprefix("/v1")
        for query in queries:
            own = await listed(tenant, path, query(home))
            theirs = await listed(other.tenant, path, query(other))
            assert own["items"], f"{name} {query(home)}: the positive control"
            assert theirs["items"], f"{name} {query(other)}: the positive control"
            assert not ids(own) & ids(theirs), name
            if query(other) != query(home):
                page = await listed(tenant, path, query(other))
                assert page["items"] == [], f"{name} {query(other)}"


async def listed(tenant: Tenant, path: str, query: dict[str, str]) -> Any:
    """A page, or an export as one."""
    response = await tenant.ask("GET", path, params=query)
    assert response.status_code == 200, response.text
    if response.headers["Content-Type"] == "application/x-ndjson":
        return {"items": [json.loads(line) for line in response.text.splitlines()]}
    return response.json()


def ids(page: Any) -> set[str]:
    return {item.get("id", item.get("email")) for item in page["items"]}


async def test_another_tenant_s_thing_named_in_a_body_is_404_with_its_field(homes: tuple[Home, Home]) -> None:
    home, other = homes
    tenant = home.tenant
    for what, (build, field) in NAMED_IN_THE_BODY.items():
        name, body = build(home, other)
        method, path = name.split()
        problem = await tenant.refused(method, path.removeprefix("/v1"), 404, json=body)
        assert problem["field"] == field, what
        name, body = build(home, home)
        response = await tenant.ask(method, path.removeprefix("/v1"), json={**body, **fresh_name(body, what)})
        assert response.status_code in {200, 201}, f"{what}: {response.text}"


def fresh_name(body: Any, what: str) -> dict[str, str]:
    return {"name": what} if "name" in body else {}


async def test_another_tenant_s_contacts_are_unknown_when_they_are_enrolled(homes: tuple[Home, Home]) -> None:
    home, other = homes
    tenant = home.tenant
    results = await tenant.enroll(home.one.sequence["id"], other.one.contact["id"], home.free_contact_id)
    assert [result["result"] for result in results] == ["unknown", "enrolled"]
    everybody = f"/sequences/{home.one.sequence['id']}/enrollments/bulk"
    await tenant.until_imported((await tenant.call("POST", everybody, json={"all": True}, expect=202))["id"])
    foreign = await tenant.admin.fetchval(
        "SELECT count(*) FROM sequence.enrollments e JOIN sequence.contacts c USING (contact_id)"
        " WHERE e.tenant_id <> c.tenant_id",
    )
    assert foreign == 0


async def test_a_cursor_of_another_tenant_shows_only_one_s_own(homes: tuple[Home, Home]) -> None:
    home, other = homes
    tenant = home.tenant
    page = await tenant.call("GET", "/contacts", params={"after": other.one.contact["id"], "limit": 200})
    emails = {item["email"] for item in page["items"]}
    assert other.extra.contact["email"] not in {*emails} - {home.extra.contact["email"]}
    cursor = f"{other.one.enrollment_id}.step-1"
    for message in (await tenant.call("GET", "/messages", params={"after": cursor}))["items"]:
        assert message["id"] == home.message_id


async def test_a_suppression_of_one_tenant_stops_nobody_of_another(tenant: Tenant, create_tenant: CreateTenant) -> None:
    other = await create_tenant("Other")
    email = "shared@people.example"
    theirs = await other.enrolled(contact=await other.contact(email=email))
    await tenant.contact(email=email)
    await tenant.call("POST", "/suppressions", json={"email": email}, expect=201)
    assert (await other.call("GET", f"{theirs.path}/explain"))["blocked_by"] == []
    assert (await other.reopen(theirs.enrollment_id))["intent"] == "run"
