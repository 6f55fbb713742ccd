"""The types of fields: what they take, what they refuse, and what they make of it."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from postroad_sequence_api.models.fields import host_name, known_zone, normal_address, not_blank, one_line


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("Ada.Lovelace+news@Example.COM", "ada.lovelace+news@example.com"),
        ("info@Bücher.example", "info@xn--bcher-kva.example"),
        ("info@xn--bcher-kva.example", "info@xn--bcher-kva.example"),
        ("a@почта.example", "a@xn--80a1acny.example"),
        ("o'brien@x.example", "o'brien@x.example"),
        ("a@mail.test", "a@mail.test"),
    ],
)
def test_an_address_is_kept_in_one_form(given_: str, kept: str) -> None:
    assert normal_address(given_) == kept
    assert normal_address(kept) == kept


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "@",
        "a@",
        "@b.example",
        "a@b",
        "a@b@c.example",
        "a b@c.example",
        "a@b c.example",
        ".a@b.example",
        "a.@b.example",
        "a..b@c.example",
        "a@-b.example",
        "a@b..example",
        "a@[127.0.0.1]",
        '"a b"@c.example',
        "Ada <a@b.example>",
        "jörg@b.example",
        "a@b.example\r\nBcc: x@y.example",
        "a@b.example\n",
        "a\x00@b.example",
        "a@b.example\u2028",
        "a" * 65 + "@b.example",
        "a@" + ".".join(["b" * 60] * 5) + ".example",
        "a" * 60 + "@" + ".".join(["b" * 50] * 4),
    ],
)
def test_a_bad_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        normal_address(address)


LOCAL = st.text("abcXYZ019.!#$%&'*+/=?^_`{|}~- @\"\\(),:;<>[]\t\r\n\x00é", min_size=1, max_size=70)
DOMAIN = st.sampled_from(["b.example", "B.Example", "bücher.example", "b", "-b.example", "b_c.example", "b.local"])


@given(LOCAL, DOMAIN)
def test_the_short_way_says_what_the_validator_says(local_part: str, domain: str) -> None:
    address = f"{local_part}@{domain}"
    try:
        parsed = validate_email(
            address, check_deliverability=False, allow_smtputf8=False, test_environment=True, strict=True
        )
        expected = f"{parsed.local_part}@{parsed.ascii_domain}".lower()
    except EmailNotValidError:
        expected = None
    try:
        got = normal_address(address)
    except ValueError:
        got = None
    assert got == expected


@given(st.text())
def test_what_passes_as_one_line_can_break_no_header(text: str) -> None:
    try:
        kept = one_line(text)
    except ValueError:
        assert any(
            character < " " or character in "\x7f\u2028\u2029" or "\x80" <= character <= "\x9f" for character in text
        )
    else:
        assert len(f"Subject: {kept}".splitlines()) == 1
        assert "\x00" not in kept


def test_a_blank_text_is_refused_where_there_must_be_one() -> None:
    with pytest.raises(ValueError, match="blank"):
        not_blank(one_line("  "))


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires"])
def test_a_zone_goes_by_its_iana_name(zone: str) -> None:
    assert known_zone(zone) == zone


@pytest.mark.parametrize("zone", ["", "europe/berlin", "../../etc/passwd", "Mars/Olympus", "+02:00", "Europe/Berlin\n"])
def test_another_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="IANA"):
        known_zone(zone)


@pytest.mark.parametrize("host", ["mail.example", "localhost", "127.0.0.1", "::1", "smtp-1.Example.COM."])
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    assert host_name(host) == host.lower()


@pytest.mark.parametrize(
    "host",
    ["", "a b", "a\r\nb", "http://a", "a/b", "a:25", "[::1]", "-a", "a-", "a..b", "ä.example", "x" * 64, "a\x00"],
)
def test_anything_around_a_host_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="host name"):
        host_name(host)
