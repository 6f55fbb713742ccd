"""The message as bytes: what goes in comes out of a parser, and nothing else does."""

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroad_sender.errors import HeaderError
from postroad_sender.mime import Mail, Mailbox, checked_address, compose, header_text
from postroad_sender.smtp.connection import dot_stuffed
from tests.size import examples

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "List-Unsubscribe", "List-Unsubscribe-Post",
    "Reply-To", "In-Reply-To", "References", "X-Test", "Content-Type",
]  # fmt: skip
ANYTHING = st.text(st.characters(codec="utf-8"), max_size=300)


def mail(**changes: object) -> Mail:
    fields: dict[str, object] = {
        "sender": Mailbox("Jürgen Müller", "hello@post.example"),
        "recipient": Mailbox("Zoë", "zoe@recipient.example"),
        "reply_to": "answers@post.example",
        "subject": "Grüße",
        "date": NOW,
        "message_id": "<1@post.example>",
        "references": ("<a@post.example>", "<b@post.example>"),
        "unsubscribe_url": "https://track.example/u/abc",
        "extra": (("X-Test", "yes"),),
        "boundary": "=_b",
        "text": "Hello\nyou",
        "html": "<p>Hello</p>",
    }
    return Mail(**(fields | changes))  # type: ignore[arg-type]  # the fields of the dataclass


def parsed(mail: Mail) -> EmailMessage:
    message = email.message_from_bytes(compose(mail), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_message_parses_to_what_email_message_would_make_of_it() -> None:
    reference = EmailMessage(policy=email.policy.SMTP)
    reference["From"] = "Jürgen Müller <hello@post.example>"
    reference["To"] = "Zoë <zoe@recipient.example>"
    reference["Subject"] = "Grüße"
    reference["Message-ID"] = "<1@post.example>"
    reference["In-Reply-To"] = "<b@post.example>"
    reference["Reply-To"] = "answers@post.example"
    reference["References"] = "<a@post.example> <b@post.example>"
    reference.set_content("Hello\nyou\n")
    reference.add_alternative("<p>Hello</p>\n", subtype="html")
    wanted = email.message_from_bytes(reference.as_bytes(), policy=email.policy.default)
    ours = parsed(mail())
    for name in ("From", "To", "Subject", "Message-ID", "In-Reply-To", "Reply-To", "References", "MIME-Version"):
        assert str(ours[name]) == str(wanted[name]), name
    assert ours.get_content_type() == wanted.get_content_type() == "multipart/alternative"
    for mine, theirs in zip(ours.iter_parts(), wanted.iter_parts(), strict=True):
        assert mine.get_content_type() == theirs.get_content_type()
        assert mine.get_content() == theirs.get_content()
    assert not ours.defects


def test_mail_without_html_is_plain_text_and_mail_without_text_is_html() -> None:
    assert parsed(mail(html="")).get_content_type() == "text/plain"
    assert parsed(mail(text="")).get_content_type() == "text/html"


@settings(max_examples=examples(300))
@given(subject=ANYTHING, name=ANYTHING, text=ANYTHING, html=ANYTHING)
def test_no_value_adds_a_header_a_part_or_a_second_message(subject: str, name: str, text: str, html: str) -> None:
    try:
        content = compose(
            mail(subject=subject, recipient=Mailbox(name, "z@r.example"), text="t" + text, html="h" + html)
        )
    except HeaderError:
        assert any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u2028\u2029" for c in subject + name)
        return
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert sorted(message.keys()) == sorted(HEADERS)
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert str(message["Subject"]) == subject.strip() or "=?" in subject or "  " in subject or not subject.isascii()
    assert [address.addr_spec for address in message["To"].addresses] == ["z@r.example"]
    assert max(map(len, content.split(b"\r\n"))) <= 998
    normalised = ("t" + text).replace("\r\n", "\n").replace("\r", "\n") + "\n"
    assert message.get_body(("plain",)).get_payload(decode=True).replace(b"\r\n", b"\n") == normalised.encode()  # type: ignore[union-attr]


@settings(max_examples=examples(200))
@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), min_size=1, max_size=120))
def test_subject_comes_out_as_it_went_in(subject: str) -> None:
    decoded = str(parsed(mail(subject="x" + subject + "x"))["Subject"])
    assert decoded == "x" + subject + "x"


@settings(max_examples=examples(300))
@given(st.binary(max_size=200))
def test_stuffed_message_has_one_end_and_no_bare_line_ends(message: bytes) -> None:
    wire = dot_stuffed(message)
    assert wire.endswith(b"\r\n.\r\n") or wire == b".\r\n"
    assert (b"\r\n" + wire).count(b"\r\n.\r\n") == 1
    assert wire.count(b"\r") == wire.count(b"\n") == wire.count(b"\r\n")


@pytest.mark.parametrize(
    "body", [b"a\n.\nb", b"a\r.\rb", b"a\n.\r\nb", b"a\r\n.\nb", b".\r\n", b"\r\n.\r\n", b"a\r\n.\r\nMAIL FROM:<x@y>"]
)
def test_smuggled_ends_are_escaped(body: bytes) -> None:
    assert (b"\r\n" + dot_stuffed(body)).count(b"\r\n.\r\n") == 1


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\0b", "a\r\n b", "a\u2028b", "a\x85b"])
def test_control_characters_in_a_header_are_refused(value: str) -> None:
    with pytest.raises(HeaderError):
        header_text("subject", value)


@pytest.mark.parametrize(
    "address",
    [
        "", "a", "@b.c", "a@", "a b@c.d", "a@b c", "a\r\n@b.c", "a@b.c\r\nRCPT TO:<x@y>", "a@b.c>", "<a@b.c", "a,b@c.d",
        '"a b"@c.d', "a@b@c.d", "a@-b.c", "a@b..c", "a\0@b.c", "a@[127.0.0.1]", "x" * 320 + "@b.c",
    ],
)  # fmt: skip
def test_address_that_could_leave_its_place_is_refused(address: str) -> None:
    with pytest.raises(HeaderError):
        checked_address("to", address)


def test_international_domain_goes_out_in_ascii() -> None:
    assert checked_address("to", "info@bücher.example") == "info@xn--bcher-kva.example"
