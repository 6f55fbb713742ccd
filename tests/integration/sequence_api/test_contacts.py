"""Contacts, one at a time and in lists."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from .house import CreateTenant, Tenant

EVERYTHING = {
    "email": "Ada@Example.COM",
    "external_id": "crm-7",
    "first_name": " Ada ",
    "last_name": "Lovelace",
    "company": "Müller & Söhne",
    "kind": "party",
    "timezone": "Europe/Berlin",
    "attributes": {"plan": "gold", "seats": 3, "trial": False, "score": 1.5, "note": "two\nlines", "none": None},
}


async def test_a_contact_comes_back_as_it_was_given_with_its_address_in_lower_case(tenant: Tenant) -> None:
    made = await tenant.contact(**EVERYTHING)
    assert made.items() <= (await tenant.call("GET", f"/contacts/{made['id']}")).items()
    assert made["email"] == "ada@example.com"
    assert made["first_name"] == "Ada"
    assert made["attributes"] == EVERYTHING["attributes"]


async def test_an_international_domain_is_stored_in_the_form_that_mail_uses(tenant: Tenant) -> None:
    made = await tenant.contact(email="Info@Bücher.example")
    assert made["email"] == "info@xn--bcher-kva.example"
    found = await tenant.call("GET", "/contacts", params={"email": "info@bücher.example"})
    assert [contact["id"] for contact in found["items"]] == [made["id"]]


async def test_an_address_or_an_external_id_is_taken_once_per_tenant(
    tenant: Tenant, create_tenant: CreateTenant
) -> None:
    await tenant.contact(email="ada@people.example", external_id="1")
    by_email = await tenant.refused("POST", "/contacts", 409, json={"email": "ADA@people.example"})
    assert by_email["field"] == "email"
    by_id = await tenant.refused("POST", "/contacts", 409, json={"email": "b@people.example", "external_id": "1"})
    assert by_id["field"] == "external_id"
    await (await create_tenant("Other")).contact(email="ada@people.example", external_id="1")


async def test_a_change_keeps_what_it_does_not_name(tenant: Tenant) -> None:
    made = await tenant.contact(**EVERYTHING)
    changed = await tenant.call("PATCH", f"/contacts/{made['id']}", json={"timezone": None, "attributes": {"plan": 1}})
    assert changed["timezone"] is None
    assert changed["attributes"] == {"plan": 1}
    assert changed["updated_at"] > made["updated_at"]
    differs = {name for name in made if made[name] != changed[name]}
    assert differs == {"timezone", "attributes", "revision", "updated_at"}


async def test_a_change_to_a_taken_address_is_refused(tenant: Tenant) -> None:
    await tenant.contact(email="ada@people.example")
    other = await tenant.contact()
    problem = await tenant.refused("PATCH", f"/contacts/{other['id']}", 409, json={"email": "ada@people.example"})
    assert problem["field"] == "email"


@pytest.mark.parametrize("field", ["email", "first_name", "kind", "attributes"])
async def test_null_is_no_value_where_there_must_be_one(tenant: Tenant, field: str) -> None:
    made = await tenant.contact()
    problem = await tenant.refused("PATCH", f"/contacts/{made['id']}", 422, json={field: None})
    assert problem["field"] == field


async def test_contacts_are_listed_page_by_page_each_once(tenant: Tenant) -> None:
    made = [(await tenant.contact())["id"] for _ in range(5)]
    seen, after = [], None
    while True:
        page = await tenant.call("GET", "/contacts", params={"limit": 2} | ({"after": after} if after else {}))
        seen += [contact["id"] for contact in page["items"]]
        if (after := page["next"]) is None:
            break
    assert seen == made


async def test_a_contact_is_deleted_unless_it_was_ever_enrolled(tenant: Tenant) -> None:
    free = await tenant.contact()
    await tenant.call("DELETE", f"/contacts/{free['id']}", expect=204)
    await tenant.refused("GET", f"/contacts/{free['id']}", 404)
    enrolled = await tenant.enrolled()
    await enrolled.ended()
    problem = await tenant.refused("DELETE", f"/contacts/{enrolled.contact['id']}", 409)
    assert problem["code"] == "enrolled"
    assert problem["count"] == 1


async def test_a_contact_shows_its_account_what_it_did_and_what_is_against_its_address(tenant: Tenant) -> None:
    account = await tenant.call("POST", "/accounts", json={"name": "Acme", "domain": "Acme.example"}, expect=201)
    enrolled = await tenant.enrolled(contact=await tenant.contact(account_id=account["id"]))
    path = f"/contacts/{enrolled.contact['id']}"
    shown = await tenant.call("GET", path)
    assert shown["account"] == {"id": account["id"], "name": "Acme", "domain": "acme.example", "external_id": None}
    assert shown["engagement"]["opens"] == 0
    assert shown["suppressed"] == []

    at = await enrolled.now()
    await enrolled.insert(
        "tracking.contact_engagement", contact_id=UUID(enrolled.contact["id"]), last_opened_at=at, opens=2
    )
    await tenant.call("POST", "/suppressions", json={"email": enrolled.contact["email"]}, expect=201)
    shown = await tenant.call("GET", path)
    assert (shown["engagement"]["opens"], shown["suppressed"]) == (2, ["manual"])
    assert datetime.fromisoformat(shown["engagement"]["last_opened_at"]) == at


async def test_lists_and_counts_take_a_filter_a_search_and_fields_and_all_must_hold(tenant: Tenant) -> None:
    account = await tenant.call("POST", "/accounts", json={"name": "Acme"}, expect=201)
    ada = await tenant.contact(first_name="Ada", last_name="Lovelace", attributes={"plan": "pro"}, external_id="7")
    adam = await tenant.contact(first_name="Adam", account_id=account["id"], kind="party", attributes={"plan": "Pro"})
    await tenant.contact(first_name="Grace", attributes={"plan": "free"})
    cases: list[tuple[dict[str, str], list[str]]] = [
        ({"filter": 'attributes.plan = "pro"'}, [ada["id"], adam["id"]]),
        ({"filter": 'attributes.plan = "pro"', "q": "ada L"}, [ada["id"]]),
        ({"q": "ada"}, [ada["id"], adam["id"]]),
        ({"q": adam["email"].upper()}, [adam["id"]]),
        ({"account_id": account["id"]}, [adam["id"]]),
        ({"kind": "party", "q": "a"}, [adam["id"]]),
        ({"external_id": "7"}, [ada["id"]]),
        ({"kind": "party", "external_id": "7"}, []),
    ]
    for params, wanted in cases:
        page = await tenant.call("GET", "/contacts", params=params)
        assert [contact["id"] for contact in page["items"]] == wanted, params
        counted = await tenant.call("GET", "/contacts/count", params=params)
        assert counted == {"count": len(wanted), "exact": True}


async def test_a_filter_that_is_wrong_is_refused_with_its_place(tenant: Tenant) -> None:
    problem = await tenant.refused("GET", "/contacts", 422, params={"filter": "opened witin 30d"})
    assert (problem["code"], problem["field"], problem["position"]) == ("invalid_filter", "filter", 7)
    assert "within" in problem["expected"]
    problem = await tenant.refused("GET", "/contacts/count", 422, params={"filter": 'enrolled in "No such"'})
    assert "No such" in problem["detail"]


async def test_pages_show_each_contact_that_stays_once_while_others_come_and_go(tenant: Tenant) -> None:
    stay = {(await tenant.contact(attributes={"plan": "pro"}))["id"] for _ in range(12)}
    go = [(await tenant.contact(attributes={"plan": "pro"}))["id"] for _ in range(6)]
    for params in ({"filter": 'attributes.plan = "pro"'}, {}):
        seen: list[str] = []
        query: dict[str, Any] = {**params, "limit": 3}
        while True:
            page = await tenant.call("GET", "/contacts", params=query)
            seen += [contact["id"] for contact in page["items"]]
            if go:
                await tenant.call("DELETE", f"/contacts/{go.pop()}", expect=204)
            await tenant.contact(attributes={"plan": "pro"})
            if page["next"] is None or len(seen) > 100:
                break
            query["after"] = page["next"]
        assert len(seen) == len(set(seen))
        assert stay <= set(seen)
        go = [(await tenant.contact(attributes={"plan": "pro"}))["id"] for _ in range(3)]
