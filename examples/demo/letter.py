"""A mail as its recipient sees it: parsed from the bytes that the SMTP server took."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from html.parser import HTMLParser

from typing_extensions import override


@dataclass(frozen=True)
class Letter:
    """What a mail program and a mail provider read out of a mail."""

    message_id: str
    pixel: str  # URL
    links: tuple[str, ...]  # of the HTML part, the unsubscribe link left out
    unsubscribe: str  # URL of List-Unsubscribe
    reference: str  # our message's reference, as SendGrid gives it back in its events


class BadLetterError(Exception):
    """A mail lacks what every mail of the sequence must have; the text says what."""


def read_letter(content: bytes) -> Letter:
    """Parse a mail; raises BadLetterError."""
    # The older policy of email: six times as quick, and hundreds of mails are read within seconds.
    mail = message_from_bytes(content)
    unsubscribe = str(mail["List-Unsubscribe"] or "").strip().strip("<>")
    if str(mail["List-Unsubscribe-Post"]) != "List-Unsubscribe=One-Click" or not unsubscribe:
        raise BadLetterError("no one-click List-Unsubscribe (RFC 8058)")
    page = _Page()
    page.feed(_html(mail))
    if len(page.pictures) != 1:
        raise BadLetterError(f"{len(page.pictures)} pictures, not one pixel")
    return Letter(
        message_id=str(mail["Message-ID"]).strip(),
        pixel=page.pictures[0],
        links=tuple(link for link in page.links if link != unsubscribe),
        unsubscribe=unsubscribe,
        reference=_reference(mail),
    )


def _html(mail: Message) -> str:
    parts = {part.get_content_type(): part for part in mail.walk() if not part.is_multipart()}
    if parts.keys() != {"text/plain", "text/html"}:
        raise BadLetterError(f"parts are {', '.join(parts)}, not text and HTML")
    body = parts["text/html"].get_payload(decode=True)
    if not isinstance(body, bytes):
        raise BadLetterError("the HTML part cannot be decoded")
    return body.decode(parts["text/html"].get_content_charset("utf-8"))


def _reference(mail: Message) -> str:
    try:
        return str(json.loads(str(mail["X-SMTPAPI"]))["unique_args"]["postroad_message"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadLetterError("no reference in X-SMTPAPI") from error


class _Page(HTMLParser):
    """Collects pictures and links."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pictures: list[str] = []
        self.links: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "img":
            self.pictures.append(found.get("src") or "")
        elif tag == "a" and found.get("href"):
            self.links.append(found["href"] or "")


def links_of(html: str) -> tuple[str, ...]:
    """Where the links of an HTML page lead."""
    page = _Page()
    page.feed(html)
    return tuple(page.links)
