"""Custom attributes with types: values are checked wherever they come from, and indexes are right all the while."""

import asyncio
from typing import Any

import pytest

from postroad_stack.eventually import eventually

from .house import Tenant


async def defined(tenant: Tenant, name: str, type_: str, **more: Any) -> Any:
    return await tenant.call("POST", "/attributes", json={"name": name, "type": type_, **more}, expect=201)


async def indexed(tenant: Tenant, attribute_id: str) -> None:
    """Once its index is filled."""

    async def filled() -> bool:
        return not (await tenant.call("GET", f"/attributes/{attribute_id}"))["indexing"]

    await eventually(filled, timeout=20)


async def found(tenant: Tenant, filter_: str) -> list[str]:
    page = await tenant.call("GET", "/contacts", params={"filter": filter_})
    return [contact["id"] for contact in page["items"]]


@pytest.mark.parametrize(
    ("type_", "good", "stored", "bad", "reason"),
    [
        ("text", "pro", "pro", 3, "a text"),
        ("number", 2.5, 2.5, "2.5", "a number"),
        ("boolean", True, True, "true", "true or false"),
        ("date", "2026-12-31", "2026-12-31", "31.12.2026", "a date such as"),
        ("datetime", "2026-12-31T10:30:00+01:00", "2026-12-31T09:30:00.000Z", "2026-12-31T10:30:00", "with its zone"),
    ],
)
async def test_values_of_a_defined_attribute_are_checked_and_stored_in_one_form(
    tenant: Tenant, type_: str, good: Any, stored: Any, bad: Any, reason: str
) -> None:
    await defined(tenant, "x", type_)
    made = await tenant.contact(attributes={"x": good, "free": "anything"})
    assert made["attributes"]["x"] == stored
    for method, path in (("POST", "/contacts"), ("PATCH", f"/contacts/{made['id']}")):
        body = {"email": f"{type_}@people.example", "attributes": {"x": bad}}
        problem = await tenant.refused(method, path, 422, json=body)
        assert problem["field"] == "attributes.x"
        assert reason in problem["detail"]
    cleared = await tenant.call("PATCH", f"/contacts/{made['id']}", json={"attributes": {"x": None}})
    assert cleared["attributes"] == {"x": None}


async def test_a_name_is_defined_once_for_contacts_and_once_for_accounts(tenant: Tenant) -> None:
    await defined(tenant, "tier", "text")
    await defined(tenant, "tier", "number", entity="account")
    problem = await tenant.refused("POST", "/attributes", 409, json={"name": "tier", "type": "date"})
    assert problem["field"] == "name"
    problem = await tenant.refused("POST", "/accounts", 422, json={"name": "A", "attributes": {"tier": "gold"}})
    assert problem["field"] == "attributes.tier"
    page = await tenant.call("GET", "/attributes", params={"entity": "account"})
    assert [(one["name"], one["type"]) for one in page["items"]] == [("tier", "number")]


async def test_an_archived_attribute_takes_any_value_and_is_checked_again_when_it_is_back(tenant: Tenant) -> None:
    attribute = await defined(tenant, "seats", "number", indexed=True)
    path = f"/attributes/{attribute['id']}"
    archived = await tenant.call("PATCH", path, json={"archived": True})
    assert archived["archived_at"] is not None
    assert archived["indexed"] is False
    await tenant.contact(attributes={"seats": "many"})
    await tenant.call("PATCH", path, json={"archived": False})
    await tenant.refused("POST", "/contacts", 422, json={"email": "a@people.example", "attributes": {"seats": "many"}})


async def test_an_index_holds_what_was_there_what_comes_and_what_changes(tenant: Tenant) -> None:
    before = [(await tenant.contact(attributes={"plan": "pro", "seats": n}))["id"] for n in range(3)]
    plan = await defined(tenant, "plan", "text", indexed=True)
    seats = await defined(tenant, "seats", "number", indexed=True)
    during = (await tenant.contact(attributes={"plan": "PRO", "seats": 9}))["id"]
    assert await found(tenant, 'attributes.plan = "pro"') == [*before, during]
    await indexed(tenant, plan["id"])
    await indexed(tenant, seats["id"])
    assert await found(tenant, 'attributes.plan = "pro"') == [*before, during]
    await tenant.call("PATCH", f"/contacts/{before[0]}", json={"attributes": {"plan": "free", "seats": 0}})
    await tenant.call("PATCH", f"/contacts/{before[1]}", json={"attributes": {}})
    await tenant.call("DELETE", f"/contacts/{before[2]}", expect=204)
    after = (await tenant.contact(attributes={"plan": "pro"}))["id"]
    assert await found(tenant, 'attributes.plan = "pro"') == [during, after]
    assert await found(tenant, "attributes.seats < 5") == [before[0]]
    held = await tenant.admin.fetch(
        "SELECT contact_id::text FROM sequence.contact_values WHERE tenant_id = $1 AND text_value IS NOT NULL",
        tenant.tenant_id,
    )
    assert {row["contact_id"] for row in held} == {before[0], during, after}


async def test_an_index_that_is_switched_on_under_writers_misses_none_of_their_values(tenant: Tenant) -> None:
    made: list[str] = []
    stop = asyncio.Event()

    async def write(writer: int) -> None:
        while not stop.is_set():
            made.append((await tenant.contact(attributes={"plan": f"w{writer}"}))["id"])

    writers = [asyncio.create_task(write(n)) for n in range(3)]
    plan = await defined(tenant, "plan", "text", indexed=True)
    await indexed(tenant, plan["id"])
    stop.set()
    await asyncio.gather(*writers)
    held = await tenant.admin.fetchval(
        "SELECT count(*) FROM sequence.contact_values WHERE tenant_id = $1", tenant.tenant_id
    )
    assert held == len(made) > 0


async def test_an_index_that_was_off_for_a_while_holds_what_is_there_now(tenant: Tenant) -> None:
    plan = await defined(tenant, "plan", "text", indexed=True)
    changed, gone = [(await tenant.contact(attributes={"plan": "old"}))["id"] for _ in range(2)]
    kept = await tenant.admin.fetch("SELECT * FROM sequence.contact_values WHERE tenant_id = $1", tenant.tenant_id)
    await tenant.call("PATCH", f"/attributes/{plan['id']}", json={"indexed": False})
    # What a writer leaves behind that saw the index before it was off and commits after.
    await tenant.admin.copy_records_to_table(
        "contact_values", schema_name="sequence", records=[tuple(row) for row in kept], columns=list(kept[0].keys())
    )
    await tenant.call("PATCH", f"/contacts/{changed}", json={"attributes": {"plan": "new"}})
    await tenant.call("DELETE", f"/contacts/{gone}", expect=204)
    await tenant.call("PATCH", f"/attributes/{plan['id']}", json={"indexed": True})
    await indexed(tenant, plan["id"])
    assert await found(tenant, 'attributes.plan = "new"') == [changed]


async def test_accounts_have_no_indexes_and_contacts_a_few(tenant: Tenant) -> None:
    body = {"entity": "account", "name": "tier", "type": "text", "indexed": True}
    assert (await tenant.refused("POST", "/attributes", 422, json=body))["field"] == "indexed"
    for number in range(20):
        await defined(tenant, f"n{number}", "number", indexed=True)
    problem = await tenant.refused("POST", "/attributes", 409, json={"name": "n20", "type": "text", "indexed": True})
    assert (problem["code"], problem["limit"]) == ("too_many", 20)


async def test_an_imported_cell_becomes_the_value_that_its_attribute_s_type_says(tenant: Tenant) -> None:
    await defined(tenant, "seats", "number", indexed=True)
    await defined(tenant, "trial", "boolean")
    done = await tenant.import_("email,seats,trial\na@people.example,12,yes\nb@people.example,many,no\n")
    assert done.counts == (1, 0, 0, 1)
    assert [(row["line"], row["field"]) for row in done.report] == [(3, "seats")]
    page = await tenant.call("GET", "/contacts", params={"filter": "attributes.seats > 10 and attributes.trial = true"})
    assert [contact["attributes"] for contact in page["items"]] == [{"seats": 12, "trial": True}]
