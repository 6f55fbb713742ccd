"""Addresses that must not be mailed: by hand, or by the recipient's own word."""

from .house import Tenant


async def test_an_address_is_suppressed_in_any_spelling_and_lifted_again(tenant: Tenant) -> None:
    made = await tenant.call(
        "POST", "/suppressions", json={"email": "Ada@Bücher.example", "reason": "asked"}, expect=201
    )
    assert (made["email"], made["kinds"], made["reason"]) == ("ada@xn--bcher-kva.example", ["manual"], "asked")
    listed = await tenant.call("GET", "/suppressions", params={"email": "ADA@bücher.example"})
    assert [one["email"] for one in listed["items"]] == [made["email"]]
    await tenant.call("DELETE", "/suppressions/ada@bücher.example", expect=204)
    assert (await tenant.call("GET", "/suppressions"))["items"] == []
    intents = await tenant.admin.fetch(
        "SELECT intent, email FROM sequence.intents WHERE tenant_id = $1 ORDER BY requested_at", tenant.tenant_id
    )
    assert [tuple(row) for row in intents] == [("stop", made["email"]), ("run", made["email"])]


async def test_what_a_recipient_said_is_shown_and_cannot_be_lifted(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    await one.stopped("complained")
    email = one.contact["email"]
    [shown] = (await tenant.call("GET", "/suppressions"))["items"]
    assert (shown["email"], shown["kinds"]) == (email, ["complained"])
    problem = await tenant.refused("DELETE", f"/suppressions/{email}", 409)
    assert problem["kinds"] == ["complained"]
    await tenant.call("POST", "/suppressions", json={"email": email}, expect=201)
    [shown] = (await tenant.call("GET", "/suppressions"))["items"]
    assert shown["kinds"] == ["complained", "manual"]
    await tenant.call("DELETE", f"/suppressions/{email}", expect=204)
    [shown] = (await tenant.call("GET", "/suppressions"))["items"]
    assert shown["kinds"] == ["complained"]


async def test_a_reply_suppresses_no_address(tenant: Tenant) -> None:
    await (await tenant.enrolled()).stopped("replied")
    assert (await tenant.call("GET", "/suppressions"))["items"] == []


async def test_addresses_are_listed_page_by_page_each_once(tenant: Tenant) -> None:
    emails = sorted(f"{letter}@people.example" for letter in "zxbca")
    for email in emails:
        await tenant.call("POST", "/suppressions", json={"email": email}, expect=201)
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = await tenant.call("GET", "/suppressions", params={"limit": 2} | after)
        seen += [one["email"] for one in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == emails


async def test_an_address_that_is_not_suppressed_is_404(tenant: Tenant) -> None:
    for address in ("nobody@people.example", "no address", "a%0d%0ab@people.example", "a%00b@people.example"):
        await tenant.refused("DELETE", f"/suppressions/{address}", 404)
