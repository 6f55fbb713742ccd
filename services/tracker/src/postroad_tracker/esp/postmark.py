"""Postmark: one object a webhook, by RecordType, behind HTTP Basic; inbound mail has none (Postmark, Webhooks)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from postroad_tracker.errors import UnreadableElementError
from postroad_tracker.esp import reading
from postroad_tracker.esp.model import Esp, Parsed, Secrets, Verdict, WebhookRequest
from postroad_tracker.esp.reading import Element
from postroad_tracker.esp.replies import answered_message_ids, is_automatic
from postroad_tracker.esp.verifier import basic_auth
from postroad_tracker.events import BounceType, EventType, NormalisedEvent, derived_key

NAME: Final = "postmark"
CARRIER: Final = "postroad-message"
"""The metadata key that holds our reference; names of metadata are matched without their case."""


class _Meaning(NamedTuple):
    type: EventType
    bounce_type: BounceType | None = None


_BOUNCES: Final[Mapping[str, _Meaning]] = {
    "HardBounce": _Meaning(EventType.BOUNCED, BounceType.HARD),
    "SoftBounce": _Meaning(EventType.BOUNCED, BounceType.SOFT),
    "DnsError": _Meaning(EventType.BOUNCED, BounceType.SOFT),
    "Transient": _Meaning(EventType.BOUNCED, BounceType.SOFT),
    "Unknown": _Meaning(EventType.BOUNCED, BounceType.UNDETERMINED),
    "VirusNotification": _Meaning(EventType.BOUNCED, BounceType.UNDETERMINED),
    "AutoResponder": _Meaning(EventType.AUTORESPONDED),
    "AddressChange": _Meaning(EventType.AUTORESPONDED),
    "ChallengeVerification": _Meaning(EventType.AUTORESPONDED),
    "SpamNotification": _Meaning(EventType.COMPLAINED),
    "SpamComplaint": _Meaning(EventType.COMPLAINED),
    "BadEmailAddress": _Meaning(EventType.REJECTED),
    "Blocked": _Meaning(EventType.REJECTED),
    "ManuallyDeactivated": _Meaning(EventType.REJECTED),
    "DMARCPolicy": _Meaning(EventType.REJECTED),
    "Unconfirmed": _Meaning(EventType.REJECTED),
    "Unsubscribe": _Meaning(EventType.UNSUBSCRIBED),
    "Subscribe": _Meaning(EventType.SUBSCRIBED),
    "SMTPApiError": _Meaning(EventType.FAILED),
    "TemplateRenderingFailed": _Meaning(EventType.FAILED),
}
_SUPPRESSIONS: Final[Mapping[str, _Meaning]] = {
    "HardBounce": _Meaning(EventType.BOUNCED, BounceType.HARD),
    "SpamComplaint": _Meaning(EventType.COMPLAINED),
    "ManualSuppression": _Meaning(EventType.UNSUBSCRIBED),
}


def verify(request: WebhookRequest, secrets: Secrets, now: datetime) -> Verdict:  # noqa: ARG001 - Basic knows no time
    """Postmark signs nothing: the credentials stand in the URL that was given to it."""
    return basic_auth(request, secrets.get("credentials", ()))


def parse(body: bytes) -> Parsed:
    """One object; an array of them is read as well."""
    return reading.parse_each(body, _read)


def _read(element: Element) -> NormalisedEvent | None:
    if "RecordType" not in element and "Headers" in element:
        return _inbound(element)
    record_type = reading.required(element, "RecordType")
    read = _RECORDS.get(record_type)
    return read(element) if read else _unknown(element, record_type)


def _delivery(element: Element) -> NormalisedEvent:
    return _outbound(
        element,
        _Meaning(EventType.DELIVERED),
        at=reading.iso_time(element, "DeliveredAt"),
        recipient="Recipient",
        detail=reading.text(element, "Details"),
    )


def _bounce(element: Element) -> NormalisedEvent:
    name = reading.required(element, "Type")
    meaning = _BOUNCES.get(name, _Meaning(EventType.UNKNOWN))
    said = [name, *(reading.text(element, field) for field in ("Description", "Details"))]
    return _outbound(
        element,
        meaning,
        at=reading.iso_time(element, "BouncedAt"),
        recipient="Email",
        detail=reading.clean("; ".join(part for part in said if part)),
        event_id=reading.identifier(element, "ID"),
    )


def _open(element: Element) -> NormalisedEvent:
    return _outbound(
        element, _Meaning(EventType.OPENED), at=reading.iso_time(element, "ReceivedAt"), recipient="Recipient"
    )


def _click(element: Element) -> NormalisedEvent:
    return _outbound(
        element,
        _Meaning(EventType.CLICKED),
        at=reading.iso_time(element, "ReceivedAt"),
        recipient="Recipient",
        url=reading.text(element, "OriginalLink", reading.MAX_URL),
    )


def _subscription_change(element: Element) -> NormalisedEvent:
    reason = reading.text(element, "SuppressionReason")
    meaning = _Meaning(EventType.SUBSCRIBED)
    if element.get("SuppressSending") is True:
        meaning = _SUPPRESSIONS.get(reason or "", _Meaning(EventType.UNSUBSCRIBED))
    origin = reading.text(element, "Origin")
    return _outbound(
        element,
        meaning,
        at=reading.iso_time(element, "ChangedAt"),
        recipient="Recipient",
        detail="; ".join(part for part in (reason, origin) if part) or None,
    )


def _unknown(element: Element, record_type: str) -> NormalisedEvent:
    message_id = reading.identifier(element, "MessageID")
    if message_id is None:
        raise UnreadableElementError("RecordType is not known and there is no MessageID")
    return NormalisedEvent(
        key=derived_key(NAME, "record", record_type, message_id),
        type=EventType.UNKNOWN,
        occurred_at=None,
        provider_message_id=message_id,
        message_ref=_carried(element),
        detail=record_type,
    )


_RECORDS: Final[Mapping[str, Callable[[Element], NormalisedEvent]]] = {
    "Delivery": _delivery,
    "Bounce": _bounce,
    "SpamComplaint": _bounce,
    "Open": _open,
    "Click": _click,
    "SubscriptionChange": _subscription_change,
}


def _outbound(
    element: Element,
    meaning: _Meaning,
    *,
    at: datetime,
    recipient: str,
    detail: str | None = None,
    url: str | None = None,
    event_id: str | None = None,
) -> NormalisedEvent:
    """An event of a message that we sent. Only bounces have an id; the others are told apart by what they say."""
    message_id = reading.identifier(element, "MessageID")
    address = reading.address(reading.text(element, recipient, reading.MAX_ADDRESS + 1))
    if message_id is None and address is None:
        raise UnreadableElementError(f"MessageID and {recipient} are both missing")
    derived = derived_key(NAME, message_id, address, meaning.type, at.isoformat(), url)
    return NormalisedEvent(
        key=f"{NAME}:bounce:{event_id}" if event_id else derived,
        type=meaning.type,
        occurred_at=at,
        message_ref=_carried(element),
        provider_message_id=message_id,
        recipient=address,
        bounce_type=meaning.bounce_type,
        detail=detail,
        url=url,
        ip=reading.ip(reading.text(reading.within(element, "Geo"), "IP")),
        user_agent=reading.text(element, "UserAgent"),
    )


def _carried(element: Element) -> str | None:
    metadata = {str(name).lower(): value for name, value in reading.within(element, "Metadata").items()}
    return reading.identifier(metadata, CARRIER)


def _inbound(element: Element) -> NormalisedEvent:
    """Mail that came to the tenant's inbound address. Its Date is its sender's word, so it is not used."""
    headers = {
        name.lower(): value
        for header in reading.each(element, "Headers")
        if (name := reading.text(header, "Name")) and (value := reading.text(header, "Value")) is not None
    }
    subject = reading.text(element, "Subject") or ""
    message_id = reading.identifier(element, "MessageID")
    if message_id is None:
        raise UnreadableElementError("MessageID is missing")
    sender = reading.text(reading.within(element, "FromFull"), "Email") or reading.text(element, "From")
    return NormalisedEvent(
        key=f"{NAME}:inbound:{message_id}",
        type=EventType.AUTORESPONDED if is_automatic(headers, subject) else EventType.REPLIED,
        occurred_at=None,
        message_ref=reading.identifier(element, "MailboxHash"),
        in_reply_to=answered_message_ids(headers),
        recipient=reading.address(sender),
        detail=reading.clean(subject, 200) or None,
    )


POSTMARK: Final = Esp(NAME, verify, parse)
