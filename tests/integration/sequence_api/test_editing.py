"""Two editors with ETags lose nothing: If-Match is compared under the row's lock."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from postroad_sequence_api.app import ROUTES

from .house import HTML, Api, Tenant, name_of

EDITORS = 8


@dataclass(frozen=True)
class Editable:
    """How a thing is made and changed: body(thing, text) is a change that writes the text into the field."""

    make: Callable[[Tenant], Coroutine[Any, Any, str]]
    field: str
    body: Callable[[Any, str], Any]

    def method(self, name: str) -> str:
        return name.split(maxsplit=1)[0]


async def contact(tenant: Tenant) -> str:
    return f"/contacts/{(await tenant.contact(company='0'))['id']}"


async def sender(tenant: Tenant) -> str:
    return f"/senders/{(await tenant.sender(from_name='0'))['id']}"


async def template(tenant: Tenant) -> str:
    return f"/templates/{(await tenant.template(subject='0'))['id']}"


async def sequence(tenant: Tenant) -> str:
    return f"/sequences/{(await tenant.draft(name='0'))['id']}"


async def own(tenant: Tenant) -> str:
    await tenant.call("PATCH", "/tenant", json={"postal_address": "0"})
    return "/tenant"


async def account(tenant: Tenant) -> str:
    return f"/accounts/{(await tenant.call('POST', '/accounts', json={'name': '0'}, expect=201))['id']}"


async def attribute(tenant: Tenant) -> str:
    made = await tenant.call("POST", "/attributes", json={"name": "a", "type": "text", "description": "0"}, expect=201)
    return f"/attributes/{made['id']}"


async def subscription(tenant: Tenant) -> str:
    body = {"url": "https://8.8.8.8/", "event_types": ["message.opened"], "description": "0"}
    return (
        f"/webhook-subscriptions/{(await tenant.call('POST', '/webhook-subscriptions', json=body, expect=201))['id']}"
    )


def draft(thing: Any, text: str) -> Any:
    steps = [{"template_id": step["template_id"], "delay": step["delay"]} for step in thing["steps"]]
    return {"name": text, "sender_id": thing["sender_id"], "steps": steps}


EDITABLE = {
    "PATCH /v1/accounts/{id}": Editable(account, "name", lambda _, text: {"name": text}),
    "PATCH /v1/attributes/{id}": Editable(attribute, "description", lambda _, text: {"description": text}),
    "PATCH /v1/webhook-subscriptions/{id}": Editable(
        subscription, "description", lambda _, text: {"description": text}
    ),
    "PATCH /v1/contacts/{id}": Editable(contact, "company", lambda _, text: {"company": text}),
    "PATCH /v1/senders/{id}": Editable(sender, "from_name", lambda _, text: {"from_name": text}),
    "PATCH /v1/tenant": Editable(own, "postal_address", lambda _, text: {"postal_address": text}),
    "PUT /v1/templates/{id}": Editable(template, "subject", lambda _, text: {"subject": text, "html": HTML}),
    "PUT /v1/sequences/{id}": Editable(sequence, "name", draft),
}
"""Everything that can be edited."""

ENDING = {
    "DELETE /v1/accounts/{id}": account,
    "DELETE /v1/contacts/{id}": contact,
    "DELETE /v1/templates/{id}": template,
    "POST /v1/sequences/{id}/activate": sequence,
}
"""What If-Match guards beside changes."""


def test_everything_that_can_be_edited_is_in_the_tables() -> None:
    assert {name_of(route) for route in ROUTES if route.edits} == {*EDITABLE, *ENDING}


async def edit(tenant: Tenant, name: str, path: str, thing: Any, text: str, tag: str, api: Api) -> httpx.Response:
    one = EDITABLE[name]
    headers = {"If-Match": tag}
    return await api.ask(one.method(name), path, key=tenant.key, headers=headers, json=one.body(thing, text))


@pytest.mark.parametrize("name", EDITABLE)
async def test_of_editors_who_read_the_same_one_wins_and_the_others_are_told(
    tenant: Tenant, second_api: Api, name: str
) -> None:
    path = await EDITABLE[name].make(tenant)
    read = await tenant.ask("GET", path)
    tag = read.headers["ETag"]
    assert tag == f'"{read.json()["revision"]}"'
    apis = (tenant.api, second_api)
    answers = await asyncio.gather(
        *(edit(tenant, name, path, read.json(), f"editor {n}", tag, apis[n % 2]) for n in range(EDITORS))
    )
    [won] = [answer for answer in answers if answer.status_code == 200]
    now = await tenant.ask("GET", path)
    assert now.headers["ETag"] == won.headers["ETag"] != tag
    assert now.json()[EDITABLE[name].field] == f"editor {answers.index(won)}"
    for lost in (answer for answer in answers if answer is not won):
        assert (lost.status_code, lost.json()["code"]) == (412, "changed_meanwhile")
        assert lost.headers["ETag"] == now.headers["ETag"]
        assert lost.json()["revision"] == now.json()["revision"]


@pytest.mark.parametrize("name", EDITABLE)
async def test_editors_who_read_again_after_a_refusal_lose_no_change(
    tenant: Tenant, second_api: Api, name: str
) -> None:
    """Each adds one to the number that it read: at the end it has been added to by all."""
    path = await EDITABLE[name].make(tenant)

    async def add_one(api: Api) -> int:
        for tries in range(1, 100):
            read = await tenant.ask("GET", path)
            text = str(int(read.json()[EDITABLE[name].field]) + 1)
            answer = await edit(tenant, name, path, read.json(), text, read.headers["ETag"], api)
            if answer.status_code == 200:
                return tries
            assert answer.status_code == 412, answer.text
        raise AssertionError("never got through")

    apis = (tenant.api, second_api)
    tries = await asyncio.gather(*(add_one(apis[n % 2]) for n in range(EDITORS)))
    assert (await tenant.call("GET", path))[EDITABLE[name].field] == str(EDITORS)
    assert max(tries) > 1, "nobody was in anybody's way: the proof proves nothing"


@pytest.mark.parametrize("name", ENDING)
async def test_what_somebody_else_changed_is_not_ended(tenant: Tenant, name: str) -> None:
    path = await ENDING[name](tenant)
    action = path + name.removeprefix(name.split("{id}", maxsplit=1)[0] + "{id}")
    await tenant.refused(name.split(maxsplit=1)[0], action, 412, headers={"If-Match": '"99"'})
    found = await tenant.ask("GET", path)
    answer = await tenant.ask(name.split(maxsplit=1)[0], action, headers={"If-Match": found.headers["ETag"]})
    assert answer.status_code in {200, 204}


async def test_which_if_match_matches(tenant: Tenant) -> None:
    path = await contact(tenant)
    for tag, status in {
        'W/"1"': 412, '"2"': 412, '"x"': 412, '""': 412, '"01x"': 412, '"9999999999"': 412, 'W/"1", "2"': 412,
        "1": 400, '"1': 400, "": 400, '"1" "2"': 400, '*, "1"': 400,
    }.items():  # fmt: skip
        await tenant.refused("PATCH", path, status, headers={"If-Match": tag}, json={"company": "new"})
    assert (await tenant.call("GET", path))["revision"] == 1
    for revision, tag in enumerate(('"1"', "*", '"7", "3"', 'W/"9","4"'), start=1):
        changed = await tenant.call("PATCH", path, headers={"If-Match": tag}, json={"company": f"new {revision}"})
        assert changed["revision"] == revision + 1


async def test_without_if_match_the_last_change_stands(tenant: Tenant) -> None:
    path = await contact(tenant)
    for company in ("first", "second"):
        await tenant.call("PATCH", path, json={"company": company})
    assert (await tenant.call("GET", path))["company"] == "second"


async def test_if_match_where_nothing_is_edited_is_refused_rather_than_ignored(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    for method, path in (("POST", f"{one.path}/stop"), ("GET", "/contacts"), ("POST", "/contacts")):
        problem = await tenant.refused(method, path, 400, headers={"If-Match": '"1"'}, json={})
        assert problem["code"] == "if_match_unsupported"
    assert (await tenant.reopen(one.enrollment_id))["intent"] == "run"
