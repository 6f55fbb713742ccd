"""Files of contacts: what is good goes in, what is not is named by its line."""

import asyncio
import time
from typing import Any

import pytest

from .house import Tenant


async def send(tenant: Tenant, text: str | bytes, *, expect: int = 200, **headers: str) -> Any:
    body = text.encode() if isinstance(text, str) else text
    headers = {"Content-Type": "text/csv", **headers}
    return await tenant.call("POST", "/contacts/import", content=body, headers=headers, expect=expect)


async def contacts(tenant: Tenant) -> dict[str, Any]:
    page = await tenant.call("GET", "/contacts", params={"limit": 200})
    return {contact["email"]: contact for contact in page["items"]}


def counts(report: Any) -> tuple[int, int, int, int]:
    return report["created"], report["updated"], report["unchanged"], report["rejected_count"]


async def test_columns_are_fields_by_their_names_and_all_others_are_attributes(tenant: Tenant) -> None:
    report = await send(
        tenant,
        "E-Mail ignored,Email,First Name,last_name,company,external-id,timezone,kind,plan,Favourite Colour\r\n"
        "x,ada@people.example,Ada,Lovelace,Engine & Co,7,Asia/Tokyo,party,gold,deep blue\r\n",
    )
    assert counts(report) == (1, 0, 0, 0)
    contact = (await contacts(tenant))["ada@people.example"]
    assert contact["first_name"] == "Ada"
    assert contact["external_id"] == "7"
    assert contact["timezone"] == "Asia/Tokyo"
    assert contact["kind"] == "party"
    assert contact["attributes"] == {"E-Mail ignored": "x", "plan": "gold", "Favourite Colour": "deep blue"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
async def test_any_usual_delimiter_and_line_end_is_read_with_a_byte_order_mark(
    tenant: Tenant, delimiter: str, line_end: str
) -> None:
    lines = (("email", "first_name", "motto"), ("a@people.example", "Zoë", '"a, b; c\td"'))
    text = "\ufeff" + line_end.join(delimiter.join(cells) for cells in lines)
    assert counts(await send(tenant, text)) == (1, 0, 0, 0)
    contact = (await contacts(tenant))["a@people.example"]
    assert contact["first_name"] == "Zoë"
    assert contact["attributes"]["motto"] == "a, b; c\td"


async def test_a_quoted_line_break_is_part_of_an_attribute_and_refused_in_a_name(tenant: Tenant) -> None:
    report = await send(
        tenant,
        'email,first_name,note\na@people.example,A,"one\ntwo ""quoted"""\nb@people.example,"B\nBcc: x@y.z",\n',
    )
    assert counts(report) == (1, 0, 0, 1)
    assert (await contacts(tenant))["a@people.example"]["attributes"]["note"] == 'one\ntwo "quoted"'
    [rejected] = report["rejected"]
    assert (rejected["line"], rejected["field"]) == (4, "first_name")
    assert "one line" in rejected["reason"]


async def test_each_bad_row_is_named_by_line_field_and_reason_and_the_good_ones_go_in(tenant: Tenant) -> None:
    report = await send(
        tenant,
        "email,first_name,kind\n"  # 1
        "good-1@people.example,A,lead\n"  # 2
        "no address,B,lead\n"  # 3
        ",C,lead\n"  # 4
        "a\x00b@people.example,D,lead\n"  # 5
        "e@people.example,E\x00,lead\n"  # 6
        "f@people.example,F,lead,too many\n"  # 7
        "\n"  # 8
        f"g@people.example,{'x' * 201},lead\n"  # 9
        "two@at@people.example,H,lead\n"  # 10
        "good-2@people.example,I\n",  # 11: what is missing at the end is empty
    )
    assert counts(report) == (2, 0, 0, 7)
    assert [(note["line"], note["field"]) for note in report["rejected"]] == [
        (3, "email"),
        (4, "email"),
        (5, "email"),
        (6, "first_name"),
        (7, None),
        (9, "first_name"),
        (10, "email"),
    ]
    assert all(note["reason"] for note in report["rejected"])
    assert set(await contacts(tenant)) == {"good-1@people.example", "good-2@people.example"}


async def test_a_quote_that_is_never_closed_costs_its_own_line_only(tenant: Tenant) -> None:
    rows = "".join(f"p{n}@people.example,N{n},ok\n" for n in range(300))
    report = await send(tenant, f'email,first_name,note\nx@people.example,X,"oops\n{rows}')
    assert counts(report) == (300, 0, 0, 1)
    assert report["rejected"][0]["line"] == 2
    assert "quote" in report["rejected"][0]["reason"]


async def test_a_row_that_is_no_utf_8_is_named_and_the_others_go_in(tenant: Tenant) -> None:
    report = await send(tenant, b"email,first_name\na@people.example,Zo\xeb\nb@people.example,Zo\xc3\xab\n")
    assert counts(report) == (1, 0, 0, 1)
    assert report["rejected"][0]["line"] == 2
    assert "UTF-8" in report["rejected"][0]["reason"]


async def test_an_unknown_zone_or_kind_keeps_the_contact_without_it_and_warns(tenant: Tenant) -> None:
    report = await send(tenant, "email,timezone,kind\na@people.example,Mars/Olympus,alien\n")
    assert counts(report) == (1, 0, 0, 0)
    assert [note["field"] for note in report["warnings"]] == ["timezone", "kind"]
    contact = (await contacts(tenant))["a@people.example"]
    assert contact["timezone"] is None
    assert contact["kind"] == "lead"


async def test_a_formula_stays_text(tenant: Tenant) -> None:
    await send(tenant, "email,company,sum\na@people.example,\"=cmd|'/c calc'!A1\",+1-2\n")
    contact = (await contacts(tenant))["a@people.example"]
    assert contact["company"] == "=cmd|'/c calc'!A1"
    assert contact["attributes"]["sum"] == "+1-2"


async def test_the_same_file_again_changes_nothing(tenant: Tenant) -> None:
    text = "email,first_name,plan\n" + "".join(f"p{n}@people.example,N{n},x\n" for n in range(50))
    assert counts(await send(tenant, text)) == (50, 0, 0, 0)
    before = await contacts(tenant)
    assert counts(await send(tenant, text)) == (0, 0, 50, 0)
    assert await contacts(tenant) == before


async def test_a_row_says_nothing_about_what_it_leaves_empty(tenant: Tenant) -> None:
    await tenant.contact(email="a@people.example", first_name="Ada", timezone="Asia/Tokyo", attributes={"a": 1, "b": 2})
    report = await send(tenant, "email,first_name,company,timezone,b\nA@people.example,,New Co,,3\n")
    assert counts(report) == (0, 1, 0, 0)
    contact = (await contacts(tenant))["a@people.example"]
    assert (contact["first_name"], contact["company"], contact["timezone"]) == ("Ada", "New Co", "Asia/Tokyo")
    assert contact["attributes"] == {"a": 1, "b": "3"}


async def test_a_contact_is_found_by_the_tenant_s_own_id_first_and_may_then_have_a_new_address(tenant: Tenant) -> None:
    made = await tenant.contact(email="old@people.example", external_id="7")
    await tenant.contact(email="taken@people.example")
    report = await send(tenant, "external_id,email\n7,new@people.example\n")
    assert counts(report) == (0, 1, 0, 0)
    assert (await contacts(tenant))["new@people.example"]["id"] == made["id"]
    report = await send(tenant, "external_id,email\n7,taken@people.example\n8,new@people.example\n")
    assert [(note["line"], note["field"]) for note in report["rejected"]] == [(2, "email"), (3, "external_id")]


async def test_a_repeated_address_is_one_contact_and_warned_of(tenant: Tenant) -> None:
    report = await send(tenant, "email,first_name\na@people.example,One\nb@people.example,B\nA@people.example,Two\n")
    assert counts(report) == (2, 1, 0, 0)
    assert [(note["line"], "line 2" in note["reason"]) for note in report["warnings"]] == [(4, True)]
    assert (await contacts(tenant))["a@people.example"]["first_name"] == "Two"


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("", "missing"),
        ("name,company", "email"),
        ("email,email", "more than once"),
        ("email,plan,plan", "more than once"),
        ("email," + ",".join(f"a{n}" for n in range(101)), "100"),
        ("email,a\x00b", "one line"),
        ("email," + "x" * 101, "100 characters"),
    ],
)
async def test_a_header_of_which_no_contact_can_be_made_is_refused(tenant: Tenant, header: str, says: str) -> None:
    headers = {"Content-Type": "text/csv"}
    body = f"{header}\na@people.example\n".encode() if header else b""
    problem = await tenant.refused("POST", "/contacts/import", 422, content=body, headers=headers)
    assert problem["field"] == "header"
    assert says in problem["detail"]


async def test_another_content_type_or_encoding_is_refused(tenant: Tenant) -> None:
    body = "email\na@people.example\n"
    for kind in ("application/json", "text/plain", "text/csv; charset=latin-1"):
        await tenant.refused("POST", "/contacts/import", 415, content=body.encode(), headers={"Content-Type": kind})
    problem = await tenant.refused(
        "POST", "/contacts/import", 400, content=body.encode("utf-16"), headers={"Content-Type": "text/csv"}
    )
    assert problem["code"] == "not_utf8"


async def test_a_file_that_is_too_large_is_refused(tenant: Tenant) -> None:
    row = b"a@people.example," + b"x" * 1000 + b"\n"
    body = b"email,a\n" + row * (21 * 2**20 // len(row))
    problem = await tenant.refused("POST", "/contacts/import", 413, content=body, headers={"Content-Type": "text/csv"})
    assert problem["limit"] == 20 * 2**20
    assert await contacts(tenant) == {}


async def test_thousands_of_rows_take_seconds(tenant: Tenant) -> None:
    text = "email,first_name,company,plan\n" + "".join(
        f"person-{n}@people.example,Name {n},Company {n % 50},gold\n" for n in range(5000)
    )
    began = time.monotonic()
    assert counts(await send(tenant, text)) == (5000, 0, 0, 0)
    first = time.monotonic() - began
    assert counts(await send(tenant, text.replace("gold", "tin"))) == (0, 5000, 0, 0)
    print(f"5,000 rows: created in {first:.1f} s, updated in {time.monotonic() - began - first:.1f} s")
    assert first < 20


async def test_other_requests_are_answered_while_a_file_is_read(tenant: Tenant) -> None:
    text = "email,a\n" + "".join(f"person-{n}@people.example,{n}\n" for n in range(20_000))
    importing = asyncio.create_task(send(tenant, text))
    slowest, asked = 0.0, 0
    while not importing.done():
        began = time.monotonic()
        await tenant.call("GET", "/me")
        slowest, asked = max(slowest, time.monotonic() - began), asked + 1
    assert counts(await importing) == (20_000, 0, 0, 0)
    print(f"{asked} requests meanwhile, the slowest {slowest * 1000:.0f} ms")
    assert asked >= 5


async def test_two_files_with_the_same_people_at_once_make_each_contact_once(tenant: Tenant) -> None:
    def text(order: int) -> str:
        people = range(400) if order > 0 else reversed(range(400))
        return "email,external_id\n" + "".join(f"p{n}@people.example,id-{n}\n" for n in people)

    reports = await asyncio.gather(*(send(tenant, text(order)) for order in (1, -1, 1)))
    assert sum(report["created"] for report in reports) == 400
    assert sum(report["unchanged"] for report in reports) == 800
    assert all(report["rejected_count"] == 0 for report in reports)
