"""Accounts, and the contacts that belong to them."""

import asyncio
from typing import Any
from uuid import uuid4

from .house import CreateTenant, Tenant

ACME = {"name": "Acme", "domain": "Bücher.example", "external_id": "a-1", "attributes": {"tier": "gold"}}


async def test_an_account_is_kept_changed_and_listed_like_a_contact(
    tenant: Tenant, create_tenant: CreateTenant
) -> None:
    made = await tenant.call("POST", "/accounts", json=ACME, expect=201)
    assert made == await tenant.call("GET", f"/accounts/{made['id']}")
    assert made["domain"] == "xn--bcher-kva.example"
    changed = await tenant.call("PATCH", f"/accounts/{made['id']}", json={"name": "Acme AG"})
    assert {name for name in made if made[name] != changed[name]} == {"name", "revision", "updated_at"}
    await tenant.refused("PATCH", f"/accounts/{made['id']}", 412, json={"name": "x"}, headers={"If-Match": '"1"'})
    taken = await tenant.refused("POST", "/accounts", 409, json={"name": "Other", "external_id": "a-1"})
    assert taken["field"] == "external_id"
    await (await create_tenant("Other")).call("POST", "/accounts", json=ACME, expect=201)
    for query in ({}, {"domain": "bücher.example"}, {"external_id": "a-1"}):
        page = await tenant.call("GET", "/accounts", params=query)
        assert [account["id"] for account in page["items"]] == [made["id"]]


async def put(tenant: Tenant, expect: int = 200, **fields: Any) -> Any:
    return await tenant.call("PUT", "/accounts/external/crm-1", json=fields, expect=expect)


async def test_an_account_is_added_or_changed_by_its_external_id(tenant: Tenant, create_tenant: CreateTenant) -> None:
    assert (await tenant.refused("PUT", "/accounts/external/crm-1", 422, json={"domain": "a.example"}))[
        "field"
    ] == "name"
    made = await put(tenant, 201, name="Acme", attributes={"tier": "gold"})
    assert (made["created"], made["external_id"]) == (True, "crm-1")

    changed = await put(tenant, domain="acme.example", attributes={"region": "north"})
    again = await put(tenant, domain="acme.example", attributes={"region": "north"})

    assert changed["id"] == made["id"]
    assert (changed["name"], changed["domain"]) == ("Acme", "acme.example")
    assert changed["attributes"] == {"tier": "gold", "region": "north"}
    assert again == changed, "nothing changed: no new revision"
    theirs = await put(await create_tenant("Other"), 201, name="Other")
    assert theirs["id"] != made["id"]
    assert (await tenant.call("GET", f"/accounts/{made['id']}"))["name"] == "Acme"


async def test_of_many_who_add_an_account_at_once_one_does_and_the_others_change_it(tenant: Tenant) -> None:
    answers = await asyncio.gather(
        *(tenant.ask("PUT", "/accounts/external/crm-1", json={"name": f"Acme {n}"}) for n in range(20))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_an_account_with_contacts_is_not_deleted_and_says_how_many(tenant: Tenant) -> None:
    account = await tenant.call("POST", "/accounts", json={"name": "Acme"}, expect=201)
    members = [await tenant.contact(account_id=account["id"]) for _ in range(2)]
    problem = await tenant.refused("DELETE", f"/accounts/{account['id']}", 409)
    assert (problem["code"], problem["count"]) == ("in_use", 2)
    for member in members:
        await tenant.call("PATCH", f"/contacts/{member['id']}", json={"account_id": None})
    await tenant.call("DELETE", f"/accounts/{account['id']}", expect=204)
    await tenant.refused("GET", f"/accounts/{account['id']}", 404)


async def test_a_contact_belongs_to_no_account_that_is_not_there(tenant: Tenant) -> None:
    problem = await tenant.refused(
        "POST", "/contacts", 404, json={"email": "ada@people.example", "account_id": str(uuid4())}
    )
    assert problem["field"] == "account_id"


async def test_mails_show_the_account_s_name_to_a_contact_without_a_company_of_its_own(tenant: Tenant) -> None:
    account = await tenant.call("POST", "/accounts", json={"name": "Acme"}, expect=201)
    template = await tenant.template(subject="For {{ contact.company }}")
    for company, shown in (("", "For Acme"), ("Own Ltd", "For Own Ltd")):
        contact = await tenant.contact(account_id=account["id"], company=company)
        preview = await tenant.call("POST", f"/templates/{template['id']}/preview", json={"contact_id": contact["id"]})
        assert preview["subject"] == shown
