"""Files of contacts: what is good goes in, what is not is named by its line."""

import asyncio
import json
import time
from typing import Any

import pytest

from .house import Tenant, csv_of


async def contacts(tenant: Tenant) -> dict[str, Any]:
    page = await tenant.call("GET", "/contacts", params={"limit": 200})
    return {contact["email"]: contact for contact in page["items"]}


async def test_columns_are_fields_by_their_names_and_all_others_are_attributes(tenant: Tenant) -> None:
    report = await tenant.import_(
        "E-Mail ignored,Email,First Name,last_name,company,external-id,timezone,kind,plan,Favourite Colour\r\n"
        "x,ada@people.example,Ada,Lovelace,Engine & Co,7,Asia/Tokyo,party,gold,deep blue\r\n",
    )
    assert report.counts == (1, 0, 0, 0)
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
    assert (await tenant.import_(text)).counts == (1, 0, 0, 0)
    contact = (await contacts(tenant))["a@people.example"]
    assert contact["first_name"] == "Zoë"
    assert contact["attributes"]["motto"] == "a, b; c\td"


async def test_a_quoted_line_break_is_part_of_an_attribute_and_refused_in_a_name(tenant: Tenant) -> None:
    report = await tenant.import_(
        'email,first_name,note\na@people.example,A,"one\ntwo ""quoted"""\nb@people.example,"B\nBcc: x@y.z",\n',
    )
    assert report.counts == (1, 0, 0, 1)
    assert (await contacts(tenant))["a@people.example"]["attributes"]["note"] == 'one\ntwo "quoted"'
    [rejected] = report.report
    assert (rejected["line"], rejected["field"], rejected["result"]) == (4, "first_name", "rejected")
    assert "one line" in rejected["reason"]


async def test_each_bad_row_is_named_by_line_field_and_reason_and_the_good_ones_go_in(tenant: Tenant) -> None:
    report = await tenant.import_(
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
    assert report.counts == (2, 0, 0, 7)
    assert report.notes("rejected") == [
        (3, "email"),
        (4, "email"),
        (5, "email"),
        (6, "first_name"),
        (7, None),
        (9, "first_name"),
        (10, "email"),
    ]
    assert all(row["reason"] for row in report.report)
    assert set(await contacts(tenant)) == {"good-1@people.example", "good-2@people.example"}


async def test_a_quote_that_is_never_closed_costs_its_own_line_only(tenant: Tenant) -> None:
    rows = "".join(f"p{n}@people.example,N{n},ok\n" for n in range(300))
    report = await tenant.import_(f'email,first_name,note\nx@people.example,X,"oops\n{rows}')
    assert report.counts == (300, 0, 0, 1)
    assert report.report[0]["line"] == 2
    assert "quote" in report.report[0]["reason"]


async def test_a_row_that_is_no_utf_8_goes_in_as_windows_1252_with_a_warning(tenant: Tenant) -> None:
    report = await tenant.import_(
        b"email,first_name\n"
        + "a@people.example,Zoë €\n".encode("windows-1252")
        + "b@people.example,Zoë 🎉\n".encode()
        + b"c@people.example,\x81\n"
    )
    assert report.counts == (2, 0, 0, 1)
    assert report.notes("warning") == [(2, None)]
    assert report.notes("rejected") == [(4, None)]
    people = await contacts(tenant)
    assert people["a@people.example"]["first_name"] == "Zoë €"
    assert people["b@people.example"]["first_name"] == "Zoë 🎉"


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
async def test_a_utf_16_file_is_recognised_with_and_without_a_byte_order_mark(tenant: Tenant, codec: str) -> None:
    text = "email\tfirst_name\r\na@people.example\tŁucja 🎉\r\n"
    assert (await tenant.import_(text.encode(codec))).counts == (1, 0, 0, 0)
    assert (await contacts(tenant))["a@people.example"]["first_name"] == "Łucja 🎉"


async def test_a_declared_encoding_and_delimiter_are_taken_at_their_word(tenant: Tenant) -> None:
    text = "email|name;x|first_name\na@people.example|1|Łucja\n".encode("windows-1250")
    assert (await tenant.import_(text, encoding="windows-1250", delimiter="pipe")).counts == (1, 0, 0, 0)
    contact = (await contacts(tenant))["a@people.example"]
    assert (contact["first_name"], contact["attributes"]) == ("Łucja", {"name;x": "1"})


async def test_what_is_no_csv_is_refused_with_what_it_is(tenant: Tenant) -> None:
    problem = await tenant.refused("POST", "/contacts/import", 400, **csv_of(b"PK\x03\x04" + b"x" * 5000))
    assert "Excel" in problem["detail"]
    problem = await tenant.refused(
        "POST", "/contacts/import", 400, **csv_of("email\na@b.example".encode("utf-16")[:-1])
    )
    assert problem["code"] == "not_utf16"
    assert (await tenant.call("GET", "/jobs"))["items"] == []


async def test_columns_are_mapped_as_asked_for(tenant: Tenant) -> None:
    mapping = {"E-Mail": "email", "Vorname": "first_name", "Umsatz": {"attribute": "revenue"}, "Notiz": None}
    text = "E-Mail;Vorname;Umsatz;Notiz;Plan\na@people.example;Ada;5;secret;gold\n"
    report = await tenant.import_(text, columns=json.dumps(mapping))
    assert report.counts == (1, 0, 0, 0)
    contact = (await contacts(tenant))["a@people.example"]
    assert contact["first_name"] == "Ada"
    assert contact["attributes"] == {"revenue": "5", "Plan": "gold"}


@pytest.mark.parametrize(
    ("mapping", "field"),
    [
        ({"Mail": "email"}, "columns"),
        ({"E-Mail": "email", "Vorname": "email"}, "header"),
        ({"E-Mail": "mail"}, "columns"),
        ({"E-Mail": {"attribute": ""}}, "columns"),
        ("no JSON", "columns"),
        ({"Vorname": None}, "header"),
    ],
)
async def test_a_mapping_that_does_not_fit_the_file_is_refused(tenant: Tenant, mapping: Any, field: str) -> None:
    text = csv_of("E-Mail;Vorname\na@people.example;Ada\n")
    params = {"columns": mapping if isinstance(mapping, str) else json.dumps(mapping)}
    problem = await tenant.refused("POST", "/contacts/import", 422, **text, params=params)
    assert problem["field"].startswith(field)


async def test_a_dry_run_says_what_would_happen_and_changes_nothing(tenant: Tenant) -> None:
    """Also across batches: a later line meets what an earlier one would have made."""
    await tenant.contact(email="old@people.example", external_id="7", company="Old")
    rows = [f"p{n % 1500}@people.example,id-{n % 1500},Co {n // 3000}" for n in range(3500)]
    rows += [
        "old@people.example,,New",
        "renamed@people.example,7,",
        "old@people.example,8,",
        "x,,",
        "p1@people.example,9,",
    ]
    text = "email,external_id,company\n" + "\n".join(rows) + "\n"
    before = await contacts(tenant)
    dry = await tenant.import_(text, dry_run="true")
    assert await contacts(tenant) == before
    real = await tenant.import_(text)
    assert dry.job["counts"] == real.job["counts"]
    assert dry.report == real.report
    assert dry.counts == (1501, 502, 1500, 2)
    assert dry.job["params"]["dry_run"] is True


async def test_addresses_that_rows_trade_with_each_other_go_in_one_after_another(tenant: Tenant) -> None:
    for n in (1, 2, 3):
        await tenant.contact(email=f"p{n}@people.example", external_id=f"{n}")
    text = "external_id,email\n1,free@people.example\n2,p1@people.example\n3,p2@people.example\n4,p3@people.example\n"
    assert (await tenant.import_(text)).counts == (1, 3, 0, 0)
    assert {contact["external_id"]: email for email, contact in (await contacts(tenant)).items()} == {
        "1": "free@people.example",
        "2": "p1@people.example",
        "3": "p2@people.example",
        "4": "p3@people.example",
    }


async def test_an_unknown_zone_or_kind_keeps_the_contact_without_it_and_warns(tenant: Tenant) -> None:
    report = await tenant.import_("email,timezone,kind\na@people.example,Mars/Olympus,alien\n")
    assert report.counts == (1, 0, 0, 0)
    assert report.notes("warning") == [(2, "timezone"), (2, "kind")]
    contact = (await contacts(tenant))["a@people.example"]
    assert contact["timezone"] is None
    assert contact["kind"] == "lead"


async def test_a_formula_stays_text(tenant: Tenant) -> None:
    await tenant.import_("email,company,sum\na@people.example,\"=cmd|'/c calc'!A1\",+1-2\n")
    contact = (await contacts(tenant))["a@people.example"]
    assert contact["company"] == "=cmd|'/c calc'!A1"
    assert contact["attributes"]["sum"] == "+1-2"


async def test_the_same_file_again_changes_nothing(tenant: Tenant) -> None:
    text = "email,first_name,plan\n" + "".join(f"p{n}@people.example,N{n},x\n" for n in range(50))
    assert (await tenant.import_(text)).counts == (50, 0, 0, 0)
    before = await contacts(tenant)
    assert (await tenant.import_(text)).counts == (0, 0, 50, 0)
    assert await contacts(tenant) == before


async def test_a_row_says_nothing_about_what_it_leaves_empty(tenant: Tenant) -> None:
    await tenant.contact(email="a@people.example", first_name="Ada", timezone="Asia/Tokyo", attributes={"a": 1, "b": 2})
    report = await tenant.import_("email,first_name,company,timezone,b\nA@people.example,,New Co,,3\n")
    assert report.counts == (0, 1, 0, 0)
    contact = (await contacts(tenant))["a@people.example"]
    assert (contact["first_name"], contact["company"], contact["timezone"]) == ("Ada", "New Co", "Asia/Tokyo")
    assert contact["attributes"] == {"a": 1, "b": "3"}


async def test_a_contact_is_found_by_the_tenant_s_own_id_first_and_may_then_have_a_new_address(tenant: Tenant) -> None:
    made = await tenant.contact(email="old@people.example", external_id="7")
    await tenant.contact(email="taken@people.example")
    report = await tenant.import_("external_id,email\n7,new@people.example\n")
    assert report.counts == (0, 1, 0, 0)
    assert (await contacts(tenant))["new@people.example"]["id"] == made["id"]
    report = await tenant.import_("external_id,email\n7,taken@people.example\n8,new@people.example\n")
    assert report.notes("rejected") == [(2, "email"), (3, "external_id")]


async def test_a_file_may_have_more_columns_than_a_contact_has_attributes(tenant: Tenant) -> None:
    header = "email," + ",".join(f"a{n}" for n in range(150))
    full, some = "x," * 149 + "x", "," * 60 + ",".join("x" * 90)
    report = await tenant.import_(f"{header}\na@people.example,{full}\nb@people.example,{some}\n")
    assert report.counts == (1, 0, 0, 1)
    assert [(row["line"], row["reason"]) for row in report.report] == [(2, "has more than 100 attributes")]


async def test_a_contact_gets_the_account_that_its_row_names_and_goes_in_without_one_that_there_is_not(
    tenant: Tenant,
) -> None:
    acme = await tenant.call("POST", "/accounts", json={"name": "Acme", "external_id": "a-1"}, expect=201)
    text = "email,Account External ID\na@people.example,a-1\nb@people.example,a-2\nc@people.example,\n"
    for dry_run in ("true", "false"):
        report = await tenant.import_(text, dry_run=dry_run)
        assert report.counts == (3, 0, 0, 0)
        assert report.notes("warning") == [(3, "account_external_id")]
    assert {email: one["account_id"] for email, one in (await contacts(tenant)).items()} == {
        "a@people.example": acme["id"],
        "b@people.example": None,
        "c@people.example": None,
    }
    assert (await tenant.import_(text)).counts == (0, 0, 3, 0)


async def test_a_repeated_address_is_one_contact_and_warned_of(tenant: Tenant) -> None:
    report = await tenant.import_("email,first_name\na@people.example,One\nb@people.example,B\nA@people.example,Two\n")
    assert report.counts == (2, 1, 0, 0)
    assert [(row["line"], row["reason"]) for row in report.report] == [(4, "is the contact of line 2 again")]
    assert (await contacts(tenant))["a@people.example"]["first_name"] == "Two"


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("", "missing"),
        ("name,company", "email"),
        ("email,email", "more than once"),
        ("email,plan,plan", "more than once"),
        ("email," + ",".join(f"a{n}" for n in range(1000)), "1,000"),
        ("email,a\x00b", "NUL"),
        ("email," + "x" * 101, "100 characters"),
    ],
)
async def test_a_header_of_which_no_contact_can_be_made_is_refused(tenant: Tenant, header: str, says: str) -> None:
    headers = {"Content-Type": "text/csv"}
    body = f"{header}\na@people.example\n".encode() if header else b""
    problem = await tenant.refused("POST", "/contacts/import", 422, content=body, headers=headers)
    assert problem["field"] == "header"
    assert says in problem["detail"]


async def test_another_content_type_is_refused(tenant: Tenant) -> None:
    for kind in ("application/json", "text/plain"):
        headers = {"Content-Type": kind}
        await tenant.refused("POST", "/contacts/import", 415, content=b"email\na@people.example\n", headers=headers)


async def test_other_requests_are_answered_while_a_file_is_read(tenant: Tenant) -> None:
    text = "email,a\n" + "".join(f"person-{n}@people.example,{n}\n" for n in range(5000))
    importing = asyncio.create_task(tenant.import_(text))
    slowest, asked = 0.0, 0
    while not importing.done():
        began = time.monotonic()
        await tenant.call("GET", "/me")
        slowest, asked = max(slowest, time.monotonic() - began), asked + 1
    assert (await importing).counts == (5000, 0, 0, 0)
    print(f"{asked} requests meanwhile, the slowest {slowest * 1000:.0f} ms")
    assert asked >= 5


async def test_two_files_with_the_same_people_at_once_make_each_contact_once(tenant: Tenant) -> None:
    def text(order: int) -> str:
        people = range(400) if order > 0 else reversed(range(400))
        return "email,external_id\n" + "".join(f"p{n}@people.example,id-{n}\n" for n in people)

    reports = await asyncio.gather(*(tenant.import_(text(order)) for order in (1, -1, 1)))
    assert [sum(each) for each in zip(*(report.counts for report in reports), strict=True)] == [400, 0, 800, 0]
