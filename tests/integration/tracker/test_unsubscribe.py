"""Unsubscribing: looking changes nothing, one click does, and the answer is true."""

import time

import pytest

from postroad_common.contracts.tokens import TokenKind

from .town import Town

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
BROWSER = {"Accept": "text/html,application/xhtml+xml"}


async def test_looking_at_the_page_changes_nothing_however_often(town: Town) -> None:
    mill = await town.tenant("Mill & <Sons>")
    mail = await town.mail(mill, contact=await town.contact(mill, "ada.lovelace@folk.example"))
    token = town.token(TokenKind.UNSUBSCRIBE, mail)
    for method in ("GET", "HEAD", "GET"):
        answer = await town.http.request(method, f"/u/{token}", headers=BROWSER)
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "a***@folk.example" in answer.text
    assert "lovelace" not in answer.text
    assert "Mill &amp; &lt;Sons&gt;" in answer.text
    assert await town.events(mill.tenant_id) == []
    assert await town.stops(mill.tenant_id) == []


@pytest.mark.parametrize("multipart", [False, True])
async def test_one_click_stops_the_address_and_the_enrollment_and_may_be_repeated(town: Town, multipart: bool) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    token = town.token(TokenKind.UNSUBSCRIBE, mail)
    for _ in range(3):
        answer = (
            await town.http.post(f"/u/{token}", files={"List-Unsubscribe": (None, "One-Click")})
            if multipart
            else await town.http.post(f"/u/{token}", data=ONE_CLICK)
        )
        assert answer.status_code == 200
        assert answer.json() == {"unsubscribed": True, "on_the_wire": []}
        assert answer.headers["Postroad-On-The-Wire"] == ""
        assert "Set-Cookie" not in answer.headers
    (event,) = await town.events(mill.tenant_id)
    assert (event["type"], event["source"], event["message_id"]) == ("unsubscribed", "unsubscribe", mail.message_id)
    (stop,) = await town.stops(mill.tenant_id)
    assert (stop["kind"], stop["email"]) == ("unsubscribed", mail.email)
    assert (stop["enrollment_id"], stop["contact_id"]) == (mail.enrollment_id, mail.contact_id)
    assert stop["acknowledged_at"] is not None


async def test_form_of_the_page_is_answered_with_a_page_that_says_it_is_done(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    answer = await town.http.post(f"/u/{town.token(TokenKind.UNSUBSCRIBE, mail)}", data=ONE_CLICK, headers=BROWSER)
    assert answer.status_code == 200
    assert "You are unsubscribed" in answer.text
    assert "may still arrive" not in answer.text
    assert len(await town.stops(mill.tenant_id)) == 1


async def test_message_on_the_wire_is_listed_in_header_body_and_stop(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    other = await town.mail(mill, "transmitting", contact=(mail.contact_id, mail.email))
    token = town.token(TokenKind.UNSUBSCRIBE, mail)
    started = time.monotonic()
    answer = await town.http.post(f"/u/{token}", data=ONE_CLICK)
    assert 1.5 < time.monotonic() - started < 4
    assert answer.headers["Postroad-On-The-Wire"] == str(other.message_id)
    assert answer.json()["on_the_wire"] == [str(other.message_id)]
    page = await town.http.post(f"/u/{token}", data=ONE_CLICK, headers=BROWSER)
    assert "may still arrive" in page.text
    assert page.headers["Postroad-On-The-Wire"] == str(other.message_id)
    (stop,) = await town.stops(mill.tenant_id)
    assert stop["on_the_wire"] == [other.message_id]


@pytest.mark.parametrize("body", [b"", b"List-Unsubscribe=Nein", b"x" * 20_000, b"\xff\x00"])
async def test_other_forms_do_not_unsubscribe(town: Town, body: bytes) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    answer = await town.http.post(f"/u/{town.token(TokenKind.UNSUBSCRIBE, mail)}", content=body)
    assert answer.status_code in (400, 413)
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert await town.events(mill.tenant_id) == []


async def test_browser_with_a_damaged_link_sees_a_page(town: Town) -> None:
    for path in ("/u/damaged", "/c/damaged"):
        answer = await town.http.get(path, headers=BROWSER)
        assert (answer.status_code, "This link does not work" in answer.text) == (404, True)
    answer = await town.http.post("/u/damaged", data=ONE_CLICK)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_unsubscribe_of_a_message_that_a_restored_database_does_not_have_yet_is_to_be_tried_again(
    town: Town,
) -> None:
    """Until the lost time is reconciled: to say that the link is not known would lose the stop."""
    mail = await town.mail(await town.tenant())
    token = town.token(TokenKind.UNSUBSCRIBE, mail)
    await town.admin.execute(
        """
        INSERT INTO sequence.installation (system_identifier, timeline, database_oid, written_by, held_at, held_because)
        SELECT s.system_identifier, postroad.timeline(), d.oid, pg_current_xact_id()::text::bigint, now(), 'restored'
        FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()
        """
    )
    await town.admin.execute("DELETE FROM delivery.messages WHERE message_id = $1", mail.message_id)
    answer = await town.http.post(f"/u/{token}", data=ONE_CLICK)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
    await town.admin.execute("DELETE FROM sequence.installation")
    assert (await town.http.post(f"/u/{token}", data=ONE_CLICK)).status_code == 404
