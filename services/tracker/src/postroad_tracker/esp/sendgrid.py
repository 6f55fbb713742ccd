"""SendGrid: signed arrays of events (Twilio SendGrid, Event Webhook Reference and Signed Event Webhook)."""

from datetime import datetime
from typing import Final

from postroad_tracker.errors import UnreadableElementError
from postroad_tracker.esp import reading
from postroad_tracker.esp.model import Esp, Parsed, Secrets, Unauthenticated, Verdict, WebhookRequest
from postroad_tracker.esp.reading import Element
from postroad_tracker.esp.verifier import ecdsa_p256
from postroad_tracker.events import BounceType, EventType, NormalisedEvent, derived_key

NAME: Final = "sendgrid"
SIGNATURE: Final = "x-twilio-email-event-webhook-signature"
TIMESTAMP: Final = "x-twilio-email-event-webhook-timestamp"
CARRIER: Final = "postroad_message"
"""The unique argument that holds our reference; SendGrid lays unique arguments flat into the event."""

_TYPES: Final = {
    "processed": EventType.QUEUED,
    "delivered": EventType.DELIVERED,
    "deferred": EventType.DEFERRED,
    "bounce": EventType.BOUNCED,
    "dropped": EventType.REJECTED,
    "spamreport": EventType.COMPLAINED,
    "unsubscribe": EventType.UNSUBSCRIBED,
    "group_unsubscribe": EventType.UNSUBSCRIBED,
    "group_resubscribe": EventType.SUBSCRIBED,
    "open": EventType.OPENED,
    "click": EventType.CLICKED,
}
_NOT_ABOUT_A_MESSAGE: Final = frozenset({"account_status_change"})


def verify(request: WebhookRequest, secrets: Secrets, now: datetime) -> Verdict:
    """The signature covers the timestamp header and the raw body, byte for byte."""
    signature, signed_at = request.headers.get(SIGNATURE), request.headers.get(TIMESTAMP)
    if signature is None or signed_at is None:
        return Unauthenticated('Signature realm="postroad"')
    signed = signed_at.encode("utf-8", "surrogateescape") + request.body
    keys = secrets.get("public_keys", ())
    return ecdsa_p256(signed, signature, public_keys=keys, signed_at=signed_at, now=now)


def parse(body: bytes) -> Parsed:
    """An array of flat objects, several messages mixed."""
    return reading.parse_each(body, _read)


def _read(element: Element) -> NormalisedEvent | None:
    name = reading.required(element, "event")
    if name in _NOT_ABOUT_A_MESSAGE:
        return None
    occurred_at = reading.unix_time(element, "timestamp")
    recipient = reading.address(reading.text(element, "email", reading.MAX_ADDRESS + 1))
    smtp_id = reading.identifier(element, "smtp-id")
    kind = _TYPES.get(name, EventType.UNKNOWN)
    return NormalisedEvent(
        key=_key(element, name),
        type=kind,
        occurred_at=occurred_at,
        message_ref=reading.identifier(element, CARRIER),
        provider_message_id=_provider_message_id(element),
        in_reply_to=(smtp_id,) if smtp_id else (),
        recipient=recipient,
        bounce_type=_bounce_type(element, kind),
        detail=_detail(element, name),
        url=reading.text(element, "url", reading.MAX_URL) if kind is EventType.CLICKED else None,
        machine=element.get("sg_machine_open") is True,
        ip=reading.ip(reading.text(element, "ip")) if kind in _BY_A_PERSON else None,
        user_agent=reading.text(element, "useragent"),
    )


_BY_A_PERSON: Final = frozenset({EventType.OPENED, EventType.CLICKED, EventType.UNSUBSCRIBED})
"""Of these the ip is the recipient's; of deliveries it is SendGrid's own."""


def _key(element: Element, name: str) -> str:
    event_id = reading.identifier(element, "sg_event_id")
    if event_id:
        return f"{NAME}:{event_id}"
    parts = [reading.text(element, field) for field in ("sg_message_id", "email", "timestamp", "url", CARRIER)]
    if not any(parts[:2]):
        raise UnreadableElementError("sg_event_id is missing, and so is what could stand for it")
    return derived_key(NAME, name, *parts)


def _provider_message_id(element: Element) -> str | None:
    """sg_message_id starts with the X-Message-Id that sending returned, then a dot and the routing inside SendGrid."""
    whole = reading.identifier(element, "sg_message_id")
    return whole.partition(".")[0] or None if whole else None


def _bounce_type(element: Element, kind: EventType) -> BounceType | None:
    match kind:
        case EventType.BOUNCED:
            return BounceType.SOFT if element.get("type") == "blocked" else BounceType.HARD
        case EventType.DEFERRED:
            return BounceType.SOFT
        case _:
            return None


def _detail(element: Element, name: str) -> str | None:
    known = [] if name in _TYPES else [name]
    said = [reading.text(element, field) for field in ("bounce_classification", "status", "reason", "response")]
    return reading.clean("; ".join(known + [part for part in said if part])) or None


SENDGRID: Final = Esp(NAME, verify, parse)
