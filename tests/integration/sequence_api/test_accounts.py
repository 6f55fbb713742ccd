"""Accounts, and the contacts that belong to them."""

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
