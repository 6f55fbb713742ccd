"""The message as bytes: a skeleton filled by hand, much quicker than EmailMessage and held equal to it by a test.

A skeleton refuses nothing, so every value that enters a header passes `header_text` or `checked_address`.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

import idna

from postroad_sender.errors import HeaderError

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_LOCAL = re.compile(r"[^\x00-\x20\x7f\"(),:;<>@\[\\\]]+")
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.IGNORECASE | re.ASCII)
_ANY_NEWLINE = re.compile(r"\r\n|\r|\n")
_LONGEST_PLAIN = 900
"""A line has at most 998 bytes (RFC 5322 §2.1.1); a longer value goes into encoded words, which fold anywhere."""
_WORD_BYTES = 39
"""Bytes in an encoded word: base64 of them, its frame and the header's name fit into 76 characters (RFC 2047 §2)."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A name and an address."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Mail:
    """Everything that stands in a message. `extra` are headers of the sender's provider."""

    sender: Mailbox
    recipient: Mailbox
    reply_to: str | None
    subject: str
    date: datetime
    message_id: str
    references: Sequence[str]
    unsubscribe_url: str
    extra: Sequence[tuple[str, str]]
    boundary: str
    text: str
    html: str


def compose(mail: Mail) -> bytes:
    """The whole message with CRLF line ends. Raises HeaderError for a value that must not stand in a header."""
    headers = "\r\n".join(f"{name}: {value}" for name, value in _headers(mail))
    if not (mail.text and mail.html):
        only = _part("html", mail.html) if mail.html else _part("plain", mail.text)
        return headers.encode() + b"\r\n" + only
    border = b"--" + mail.boundary.encode()
    return b"".join(
        (
            headers.encode(),
            f'\r\nContent-Type: multipart/alternative; boundary="{mail.boundary}"\r\n\r\n'.encode(),
            border,
            b"\r\n",
            _part("plain", mail.text),
            b"\r\n",
            border,
            b"\r\n",
            _part("html", mail.html),
            b"\r\n",
            border,
            b"--\r\n",
        )
    )


def _headers(mail: Mail) -> list[tuple[str, str]]:
    headers = [
        ("From", _sender_mailbox(mail.sender)),
        ("To", _mailbox("to", mail.recipient)),
        ("Subject", header_text("subject", mail.subject)),
        ("Date", _date(mail.date.replace(microsecond=0))),
        ("Message-ID", mail.message_id),
        ("MIME-Version", "1.0"),
        ("List-Unsubscribe", f"<{checked_url(mail.unsubscribe_url)}>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    ]
    if mail.reply_to:
        headers.append(("Reply-To", checked_address("reply_to", mail.reply_to)))
    if mail.references:
        headers.append(("In-Reply-To", mail.references[-1]))
        headers.append(("References", "\r\n ".join(mail.references)))
    headers.extend(mail.extra)
    return headers


def header_text(field: str, value: str) -> str:
    """A text as a header's value: as it is when plain, else encoded words (RFC 2047). Raises HeaderError."""
    value = value.strip()
    if _CONTROL.search(value):
        raise HeaderError(f"{field} holds a line break or another control character")
    if value.isascii() and "=?" not in value and len(value) <= _LONGEST_PLAIN:
        return value
    return _encoded_words(field, value)


def _encoded_words(field: str, value: str) -> str:
    try:
        whole = value.encode()
    except UnicodeEncodeError:
        raise HeaderError(f"{field} holds half of a character (an unpaired surrogate)") from None
    if len(whole) <= _WORD_BYTES:
        return f"=?utf-8?b?{base64.b64encode(whole).decode()}?="
    words, chunk = [], b""
    for character in value:
        encoded = character.encode()
        if len(chunk) + len(encoded) > _WORD_BYTES:
            words.append(chunk)
            chunk = b""
        chunk += encoded
    words.append(chunk)
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(word).decode()}?=" for word in words)


@lru_cache(maxsize=16)
def _date(second: datetime) -> str:
    return format_datetime(second)


@lru_cache(maxsize=1024)
def _sender_mailbox(mailbox: Mailbox) -> str:
    return _mailbox("from", mailbox)


def _mailbox(field: str, mailbox: Mailbox) -> str:
    address = checked_address(field, mailbox.address)
    name = header_text(f"{field} name", mailbox.name)
    if not name:
        return address
    if not name.startswith("=?"):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} <{address}>"


def checked_address(field: str, address: str) -> str:
    """An address that is safe in headers and commands, its domain in ASCII (RFC 5891). Raises HeaderError."""
    local, at, domain = address.rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or len(address) > 320:
        raise HeaderError(f"{field} is not an address that can be mailed")
    return f"{local}@{_checked_domain(field, domain)}"


@lru_cache(maxsize=4096)
def _checked_domain(field: str, domain: str) -> str:
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except idna.IDNAError:
            raise HeaderError(f"{field} has a domain that does not exist in the DNS") from None
    if not _DOMAIN.fullmatch(domain):
        raise HeaderError(f"{field} has a domain that does not exist in the DNS")
    return domain


def checked_url(url: str) -> str:
    """A URL that stays inside its angle brackets. Raises HeaderError."""
    if not url.isascii() or re.search(r"[\x00-\x20\x7f<>\"]", url):
        raise HeaderError("a URL in a header holds a character that must be escaped")
    return url


def _part(subtype: str, text: str) -> bytes:
    """A body part; quoted-printable, or base64 where that is shorter."""
    # Without a CRLF in it, b2a_qp would break lines with a bare LF.
    body = (_ANY_NEWLINE.sub("\r\n", text) + "\r\n").encode("utf-8", "replace")
    if len(body) > 6 * (len(body) - len(body.translate(None, _NOT_ASCII))):
        encoding, encoded = "quoted-printable", binascii.b2a_qp(body, istext=True)
    else:
        encoding, encoded = "base64", _base64_lines(body)
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode() + encoded


_NOT_ASCII = bytes(range(128, 256))


def _base64_lines(body: bytes) -> bytes:
    flat = binascii.b2a_base64(body, newline=False)
    return b"\r\n".join(flat[start : start + 76] for start in range(0, len(flat), 76))
