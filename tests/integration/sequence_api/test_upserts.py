"""Upserts: one by its external id, or a thousand; however often and many at once, each contact is there once."""

import asyncio
from typing import Any

from .house import CreateTenant, Tenant

ADA = {"email": "Ada@people.example", "first_name": "Ada", "attributes": {"plan": "pro", "seats": 3}}


async def put(tenant: Tenant, external_id: str, expect: int, **body: Any) -> Any:
    return await tenant.call("PUT", f"/contacts/external/{external_id}", json=body, expect=expect)


async def test_a_put_makes_the_contact_then_changes_what_it_names_and_keeps_the_rest(tenant: Tenant) -> None:
    made = await put(tenant, "crm%207", 201, **ADA)
    assert (made["created"], made["external_id"], made["email"]) == (True, "crm 7", "ada@people.example")
    changed = await put(tenant, "crm%207", 200, last_name="Lovelace", attributes={"seats": None, "city": "London"})
    assert (changed["id"], changed["created"], changed["first_name"]) == (made["id"], False, "Ada")
    assert changed["attributes"] == {"plan": "pro", "seats": None, "city": "London"}
    again = await put(tenant, "crm%207", 200, last_name="Lovelace")
    assert (again["revision"], again["updated_at"]) == (changed["revision"], changed["updated_at"])


async def test_a_put_takes_over_the_contact_with_its_address_unless_that_has_another_id(tenant: Tenant) -> None:
    plain = await tenant.contact(email="ada@people.example")
    taken = await put(tenant, "7", 200, **ADA)
    assert (taken["id"], taken["external_id"]) == (plain["id"], "7")
    problem = await tenant.refused("PUT", "/contacts/external/8", 409, json=ADA)
    assert (problem["code"], problem["field"]) == ("taken", "external_id")
    await tenant.contact(email="grace@people.example")
    problem = await tenant.refused("PUT", "/contacts/external/7", 409, json={"email": "grace@people.example"})
    assert problem["field"] == "email"
    problem = await tenant.refused("PUT", "/contacts/external/9", 422, json={"first_name": "No address"})
    assert problem["field"] == "email"


async def test_a_put_that_clashes_is_a_conflict_whatever_the_other_contact_is_called(tenant: Tenant) -> None:
    await tenant.contact(email="ada@people.example", external_id="needs-review")
    problem = await tenant.refused("PUT", "/contacts/external/7", 409, json=ADA)
    assert (problem["code"], problem["field"]) == ("taken", "external_id")


async def test_many_puts_at_once_make_one_contact(tenant: Tenant) -> None:
    answers = await asyncio.gather(*(tenant.ask("PUT", "/contacts/external/7", json=ADA) for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [200] * 11 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_each_item_of_a_batch_has_its_own_result(tenant: Tenant) -> None:
    await tenant.call("POST", "/attributes", json={"name": "seats", "type": "number"}, expect=201)
    known = await tenant.contact(email="known@people.example", external_id="k", first_name="Old")
    items = [
        {"external_id": "k", "first_name": "New"},
        {"email": "KNOWN@people.example", "first_name": "New"},
        {"email": "fresh@people.example", "external_id": "f", "attributes": {"seats": 2}},
        {"email": "no address"},
        {"external_id": "nobody"},
        {"email": "b@people.example", "attributes": {"seats": "two"}},
        {"first_name": "Who?"},
        {"email": "c@people.example", "colour": "red"},
        {"external_id": "f", "first_name": "Again"},
        {"email": "d@people.example", "account_id": "01900000-0000-7000-8000-000000000000"},
        "no object",
        {"email": "e@people.example", "attributes": {"n": 10**30}},
    ]
    done = await tenant.call("POST", "/contacts/batch", json={"contacts": items})
    results = [(one["result"], (one["field"] or "").split(".")[0] or None) for one in done["results"]]
    assert results == [
        ("updated", None), ("unchanged", None), ("created", None), ("rejected", "email"), ("rejected", "email"),
        ("rejected", "attributes"), ("rejected", "external_id"), ("rejected", "colour"),
        ("rejected", "external_id"), ("rejected", "account_id"), ("rejected", "contact"),
        ("rejected", "attributes"),
    ]  # fmt: skip
    assert (done["created"], done["updated"], done["unchanged"], done["rejected"]) == (1, 1, 1, 9)
    assert all(one["reason"] for one in done["results"] if one["result"] == "rejected")
    assert done["results"][0]["contact_id"] == known["id"]
    assert (await tenant.call("GET", f"/contacts/{known['id']}"))["first_name"] == "New"


async def test_a_batch_of_a_thousand_goes_in_and_more_are_refused(tenant: Tenant) -> None:
    items = [{"email": f"p{n}@people.example", "external_id": str(n)} for n in range(1001)]
    await tenant.refused("POST", "/contacts/batch", 422, json={"contacts": items})
    for result in ("created", "unchanged"):
        done = await tenant.call("POST", "/contacts/batch", json={"contacts": items[:1000]})
        assert done[result] == 1000


async def test_batches_at_once_in_any_order_make_each_contact_once(tenant: Tenant) -> None:
    items = [{"email": f"p{n}@people.example", "external_id": str(n)} for n in range(40)]
    batches = [items, items[::-1], items[20:] + items[:20]]
    done = await asyncio.gather(
        *(tenant.call("POST", "/contacts/batch", json={"contacts": batch}) for batch in batches)
    )
    assert sum(one["created"] for one in done) == 40
    assert sum(one["rejected"] for one in done) == 0
    assert (await tenant.call("GET", "/contacts/count"))["count"] == 40


async def test_the_same_ids_are_other_contacts_of_another_tenant(tenant: Tenant, create_tenant: CreateTenant) -> None:
    other = await create_tenant("Other")
    made = await put(tenant, "7", 201, **ADA)
    theirs = await put(other, "7", 201, **ADA)
    done = await other.call("POST", "/contacts/batch", json={"contacts": [{"external_id": "7", "first_name": "X"}]})
    assert done["results"][0]["contact_id"] == theirs["id"] != made["id"]
    assert (await tenant.call("GET", f"/contacts/{made['id']}"))["first_name"] == "Ada"
