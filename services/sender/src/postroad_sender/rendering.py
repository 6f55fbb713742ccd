"""From a step's template and a contact to the bytes that go over the wire; pure but for its keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from postroad_common.contracts.tokens import TokenKind, TrackingToken
from postroad_common.errors import TokenTooLongError
from postroad_common.ids import pack_ref
from postroad_common.sealing import KeyRing
from postroad_engine.errors import TemplateError
from postroad_engine.links import add_pixel, rewrite_links
from postroad_engine.reasons import RenderFailed
from postroad_engine.templates import Template
from postroad_sender.errors import HeaderError
from postroad_sender.items import Due
from postroad_sender.mime import Mail, Mailbox, checked_address, compose
from postroad_sender.reading import Inputs, Thread
from postroad_sender.smtp.connection import Envelope


@dataclass(frozen=True, slots=True)
class RenderedMail:
    """A message ready to transmit, and what the ledger keeps of it."""

    envelope: Envelope
    content: bytes
    recipient: str
    subject: str
    rfc_message_id: str


@dataclass(frozen=True, slots=True)
class Stamp:
    """Where tracked links lead and with which keys they are sealed."""

    keyring: KeyRing
    tracking_url: str


def render(due: Due, inputs: Inputs, stamp: Stamp, *, traceparent: str | None) -> RenderedMail | RenderFailed:
    """Fill the template in and make a message of it, or say what a person must mend."""
    template = inputs.step.template
    if isinstance(template, TemplateError):
        return _failure(template)
    try:
        return _render(template, due, inputs, _Links(stamp, due, traceparent))
    except TemplateError as error:
        return _failure(error)
    except HeaderError as error:
        return RenderFailed("header", None, str(error))


def rfc_message_id(due: Due, from_email: str) -> str:
    """The Message-ID of a step, the same in every attempt; in angle brackets."""
    return f"<{due.message_id.hex}@{from_email.rpartition('@')[2]}>"


def _failure(error: TemplateError) -> RenderFailed:
    return RenderFailed(error.part, error.line, error.message)


def _render(template: Template, due: Due, inputs: Inputs, links: "_Links") -> RenderedMail:
    sender = inputs.sender
    unsubscribe_url = links.to("u", TokenKind.UNSUBSCRIBE)
    rendered = template.render(
        {
            "contact": inputs.contact,
            "sender": {"name": sender.from_name, "email": sender.from_email},
            "tenant": sender.tenant,
            "unsubscribe_url": unsubscribe_url,
        }
    )
    html = rendered.html
    if html:
        html = rewrite_links(html, links.click, keep={unsubscribe_url})
        html = add_pixel(html, links.to("o", TokenKind.OPEN) + ".gif")
    subject = _subject(rendered.subject, inputs.thread)
    from_email = checked_address("from", sender.from_email)
    recipient = inputs.contact["email"]
    message_id = rfc_message_id(due, from_email)
    mail = Mail(
        sender=Mailbox(sender.from_name, from_email),
        recipient=Mailbox(_full_name(inputs.contact), recipient),
        reply_to=sender.reply_to,
        subject=subject,
        date=datetime.now(UTC),
        message_id=message_id,
        references=inputs.thread.references,
        unsubscribe_url=unsubscribe_url,
        extra=_carriers(due, sender.esp),
        boundary=f"=_{due.message_id.hex}",
        text=rendered.text,
        html=html,
    )
    envelope = Envelope(from_email, checked_address("to", recipient))
    return RenderedMail(envelope, compose(mail), recipient, subject, message_id)


def _subject(own: str, thread: Thread) -> str:
    """A reply carries the subject of its thread: mail programs file by it."""
    if not thread.references:
        return own.strip()
    subject = thread.subject or own.strip()
    return subject if subject[:3].lower() == "re:" else f"Re: {subject}"


def _full_name(contact: Mapping[str, str]) -> str:
    return f"{contact['first_name']} {contact['last_name']}".strip()


def _carriers(due: Due, esp: str) -> tuple[tuple[str, str], ...]:
    """The header in which a provider carries our id into its events."""
    ref = pack_ref(due.tenant_id, due.message_id)
    match esp:
        case "sendgrid":
            return (("X-SMTPAPI", orjson.dumps({"unique_args": {"postroad_message": ref}}).decode()),)
        case "postmark":
            return (("X-PM-Metadata-postroad-message", ref),)
        case _:
            return ()


class _Links:
    """The tracked links of one message."""

    def __init__(self, stamp: Stamp, due: Due, traceparent: str | None) -> None:
        self._stamp = stamp
        self._base = stamp.tracking_url
        self._due = due
        self._traceparent = traceparent

    def to(self, path: str, kind: TokenKind, url: str | None = None) -> str:
        token = TrackingToken(kind, self._due.tenant_id, self._due.message_id, url, self._traceparent)
        return f"{self._base}/{path}/{token.seal(self._stamp.keyring)}"

    def click(self, url: str) -> str:
        """The tracked form of a link; one that is too long for a token stays as it is."""
        try:
            return self.to("c", TokenKind.CLICK, url)
        except TokenTooLongError:
            return url
