"""The public surface without servers: redirects, forms, pages, whose address is believed."""

from ipaddress import ip_network

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from postroad_common.problems import Problem
from postroad_tracker import pages
from postroad_tracker.handlers.forms import asks_to_unsubscribe
from postroad_tracker.handlers.hits import safe_location
from postroad_tracker.handlers.reading import client_ip
from postroad_tracker.sources import read_secrets

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
BOUNDARY = "----x"
MULTIPART = b'------x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n------x--\r\n'


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://mill.example/a?b=1&c=2#d", "https://mill.example/a?b=1&c=2#d"),
        ("http://mill.example", "http://mill.example"),
        ("https://mill.example/%20a%2Fb", "https://mill.example/%20a%2Fb"),
        ("https://mill.example/ü?q=日本", "https://mill.example/%C3%BC?q=%E6%97%A5%E6%9C%AC"),
        ('https://mill.example/a b"<>', "https://mill.example/a%20b%22%3C%3E"),
    ],
)
def test_redirect_leads_to_the_sealed_url(url: str, location: str) -> None:
    assert safe_location(url) == location


@pytest.mark.parametrize(
    "url",
    [None, "", "javascript:alert(1)", "data:text/html,x", "//evil.example", "/path", "ftp://mill.example", "https://",
     "https://mill.example/\r\nSet-Cookie: a=b", "https://mill.example/\x00", "https://[::1", "mailto:a@b.example"],
)  # fmt: skip
def test_nothing_but_http_and_https_is_redirected_to(url: str | None) -> None:
    with pytest.raises(Problem) as problem:
        safe_location(url)
    assert problem.value.status == 404


@given(st.text())
def test_location_never_carries_what_could_end_a_header(url: str) -> None:
    try:
        location = safe_location("https://mill.example/" + url)
    except (Problem, UnicodeEncodeError):
        return
    assert location.isascii()
    assert location.isprintable()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", b"List-Unsubscribe=One-Click"),
        ("application/x-www-form-urlencoded; charset=UTF-8", b"a=b&List-Unsubscribe=One-Click\r\n"),
        ("", b"List-Unsubscribe=One-Click"),
        (f"multipart/form-data; boundary={BOUNDARY}", MULTIPART),
        (f'Multipart/Form-Data; boundary="{BOUNDARY}"', MULTIPART),
    ],
)
def test_one_click_is_understood_in_both_encodings(content_type: str, body: bytes) -> None:
    assert asks_to_unsubscribe(content_type, body)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", b""),
        ("application/x-www-form-urlencoded", b"List-Unsubscribe="),
        ("application/x-www-form-urlencoded", b"list-unsubscribe=one-click"),
        ("application/x-www-form-urlencoded", MULTIPART),
        ("multipart/form-data", MULTIPART),
        ("multipart/form-data; boundary=other", MULTIPART),
        ("application/x-www-form-urlencoded", b"&".join(b"a=%d" % n for n in range(100))),
    ],
)
def test_other_bodies_do_not_unsubscribe(content_type: str, body: bytes) -> None:
    assert not asks_to_unsubscribe(content_type, body)


@given(st.sampled_from(["", "multipart/form-data", "multipart/form-data; boundary=x"]), st.binary(max_size=300))
def test_any_body_is_answered(content_type: str, body: bytes) -> None:
    assert asks_to_unsubscribe(content_type, body) in (True, False)


def html(response: web.Response) -> str:
    assert response.text is not None
    return response.text


def test_page_asks_names_whom_masked_and_cannot_be_written_into() -> None:
    page = html(pages.ask("ada.lovelace@mill.example", '<script>alert(1)</script> & "Sons"'))
    assert "a***@mill.example" in page
    assert "lovelace" not in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert 'method="post"' in page


@pytest.mark.parametrize(
    "response",
    [pages.ask("ada@mill.example", "Mill"), pages.ask(None, None), pages.not_found(), pages.try_again(5),
     pages.done("ada@mill.example", "Mill", on_the_wire=1)],
)  # fmt: skip
def test_every_page_is_self_contained_and_locked_down(response: web.Response) -> None:
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert response.headers["Cache-Control"] == "no-store"
    assert not response.cookies
    text = html(response)
    assert "http" not in text, "nothing is loaded from elsewhere"
    assert '<html lang="en">' in text
    assert 'name="viewport"' in text


def test_page_promises_only_what_happened() -> None:
    assert "not yet unsubscribed" in html(pages.try_again(5))
    assert pages.try_again(5).status == 503
    assert "may still arrive" in html(pages.done("ada@mill.example", "Mill", on_the_wire=1))
    assert "may still arrive" not in html(pages.done("ada@mill.example", "Mill", on_the_wire=0))


def test_masking_never_shows_a_whole_local_part() -> None:
    assert pages.masked("a@mill.example") == "***@mill.example"
    assert pages.masked("ab@mill.example") == "a***@mill.example"


@pytest.mark.parametrize(
    ("peer", "forwarded", "believed"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("::ffff:10.0.0.1", "2001:db8::7", "2001:db8::7"),
    ],
)
def test_forwarded_for_is_believed_from_trusted_proxies_only(peer: str, forwarded: str | None, believed: str) -> None:
    class Transport:
        def get_extra_info(self, name: str, default: object = None) -> object:
            return (peer, 1) if name == "peername" else default

        def is_closing(self) -> bool:
            return False

    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    request = make_mocked_request("GET", "/", headers=headers, transport=Transport())
    assert client_ip(request, PROXIES) == believed


def test_secrets_of_a_source_are_read_by_kind_and_whatever_else_lies_there_lets_nobody_in() -> None:
    document = {"credentials": [{"username": "mill", "password": "a:b"}, "old:c"], "public_keys": ["MFkw"], "note": "x"}
    assert read_secrets(document) == {"credentials": ("mill:a:b", "old:c"), "public_keys": ("MFkw",)}
    assert read_secrets(["not", "an", "object"]) == {}
    assert read_secrets({"credentials": [None, 3, {}, {"username": "a"}, {"username": 1, "password": 2}]}) == {
        "credentials": ()
    }
