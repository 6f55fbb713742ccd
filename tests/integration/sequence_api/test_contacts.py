"""Contacts, one at a time."""

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
    assert made == await tenant.call("GET", f"/contacts/{made['id']}")
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
