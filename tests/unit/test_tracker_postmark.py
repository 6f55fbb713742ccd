"""Postmark: its credentials, and what its records mean. Payloads follow its webhook reference."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad_tracker.esp.model import Genuine, Refused, Unauthenticated, WebhookRequest
from postroad_tracker.esp.postmark import POSTMARK
from postroad_tracker.events import BounceType, EventType, NormalisedEvent

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MESSAGE_ID = "0a9b1c6e-52b8-4a5a-9d0b-6d5c9a2b7a01"
SECRETS = {"credentials": ("old:first-secret", "new:second:secret")}


def request(authorization: str | None) -> WebhookRequest:
    return WebhookRequest({} if authorization is None else {"authorization": authorization}, b"{}")


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


def parse_one(payload: dict[str, Any]) -> NormalisedEvent:
    parsed = POSTMARK.parse(json.dumps(payload).encode())
    assert parsed.rejected == ()
    return parsed.events[0]


def bounce(kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "RecordType": "Bounce",
        "ID": 4323372036854775807,
        "Type": kind,
        "TypeCode": 1,
        "Name": "Hard bounce",
        "MessageID": MESSAGE_ID,
        "MessageStream": "outbound",
        "ServerID": 23,
        "Description": "The server was unable to deliver your message.",
        "Details": "action: failed",
        "Email": "Ada@Mill.example",
        "From": "sales@ours.example",
        "BouncedAt": "2026-03-01T12:00:00.1234567Z",
        "Inactive": True,
        "Metadata": {"postroad-message": "a-ref"},
    } | fields


def inbound(**fields: Any) -> dict[str, Any]:
    return {
        "From": "ada@mill.example",
        "FromFull": {"Email": "Ada@Mill.example", "Name": "Ada", "MailboxHash": ""},
        "To": "sales@ours.example",
        "MailboxHash": "",
        "Subject": "Re: hello",
        "MessageID": "73e6d360-66eb-11e1-8e72-a8904824019b",
        "Date": "Sun, 1 Mar 2026 13:00:00 +0100",
        "TextBody": "Yes, call me.",
        "Headers": [
            {"Name": "In-Reply-To", "Value": "<ref-2@ours.example>"},
            {"Name": "References", "Value": "<ref-1@ours.example>\r\n <ref-2@ours.example>"},
        ],
    } | fields


def with_header(name: str, value: str, **fields: Any) -> dict[str, Any]:
    payload = inbound(**fields)
    return payload | {"Headers": [*payload["Headers"], {"Name": name, "Value": value}]}


@pytest.mark.parametrize("pair", ["old:first-secret", "new:second:secret"])
def test_each_live_credential_is_genuine(pair: str) -> None:
    assert POSTMARK.verify(request(basic(pair)), SECRETS, NOW) == Genuine()


@pytest.mark.parametrize(
    "authorization",
    [
        basic("old:wrong"),
        basic("old:first-secre"),
        basic("old:first-secret "),
        basic("old"),
        basic(":"),
        basic(""),
        "Basic",
        "Basic ***",
        "Bearer " + base64.b64encode(b"old:first-secret").decode(),
        base64.b64encode(b"old:first-secret").decode(),
    ],
)
def test_wrong_credentials_are_refused_for_good(authorization: str) -> None:
    verdict = POSTMARK.verify(request(authorization), SECRETS, NOW)
    assert isinstance(verdict, Refused)
    assert verdict.code == "wrong_credentials"


def test_missing_credentials_are_asked_for() -> None:
    verdict = POSTMARK.verify(request(None), SECRETS, NOW)
    assert isinstance(verdict, Unauthenticated)
    assert verdict.challenge.startswith("Basic realm=")


@pytest.mark.parametrize(
    "secrets",
    [
        {},
        {"credentials": ()},
        {"credentials": ("",)},
        {"credentials": ("no-colon",)},
        {"credentials": (":", "a:", ":b")},
    ],
)
def test_source_without_credentials_lets_nobody_in(secrets: dict[str, tuple[str, ...]]) -> None:
    for pair in ("", ":", "no-colon", "None:None", "a:", ":b"):
        assert isinstance(POSTMARK.verify(request(basic(pair)), secrets, NOW), Refused)


@given(st.text(max_size=80))
def test_whatever_stands_in_authorization_is_refused_and_never_raises(authorization: str) -> None:
    assert isinstance(POSTMARK.verify(request(authorization), SECRETS, NOW), Refused)


@pytest.mark.parametrize(
    ("kind", "expected", "bounce_type"),
    [
        ("HardBounce", EventType.BOUNCED, BounceType.HARD),
        ("SoftBounce", EventType.BOUNCED, BounceType.SOFT),
        ("Transient", EventType.BOUNCED, BounceType.SOFT),
        ("DnsError", EventType.BOUNCED, BounceType.SOFT),
        ("Unknown", EventType.BOUNCED, BounceType.UNDETERMINED),
        ("VirusNotification", EventType.BOUNCED, BounceType.UNDETERMINED),
        ("AutoResponder", EventType.AUTORESPONDED, None),
        ("AddressChange", EventType.AUTORESPONDED, None),
        ("ChallengeVerification", EventType.AUTORESPONDED, None),
        ("SpamNotification", EventType.COMPLAINED, None),
        ("SpamComplaint", EventType.COMPLAINED, None),
        ("BadEmailAddress", EventType.REJECTED, None),
        ("Blocked", EventType.REJECTED, None),
        ("ManuallyDeactivated", EventType.REJECTED, None),
        ("DMARCPolicy", EventType.REJECTED, None),
        ("Unsubscribe", EventType.UNSUBSCRIBED, None),
        ("Subscribe", EventType.SUBSCRIBED, None),
        ("SMTPApiError", EventType.FAILED, None),
        ("TemplateRenderingFailed", EventType.FAILED, None),
        ("SomethingNew", EventType.UNKNOWN, None),
    ],
)
def test_each_bounce_type_has_its_meaning(kind: str, expected: EventType, bounce_type: BounceType | None) -> None:
    parsed = parse_one(bounce(kind))
    assert (parsed.type, parsed.bounce_type) == (expected, bounce_type)


def test_bounce_is_keyed_by_its_id_and_knows_message_address_and_time() -> None:
    parsed = parse_one(bounce("HardBounce"))
    assert parsed.key == "postmark:bounce:4323372036854775807"
    assert (parsed.message_ref, parsed.provider_message_id) == ("a-ref", MESSAGE_ID)
    assert parsed.recipient == "ada@mill.example"
    assert parsed.occurred_at == datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)
    assert parsed.detail is not None
    assert "HardBounce" in parsed.detail


def test_complaint_told_by_two_webhooks_is_one_event() -> None:
    as_bounce = parse_one(bounce("SpamComplaint"))
    as_complaint = parse_one(bounce("SpamComplaint", RecordType="SpamComplaint"))
    assert as_bounce.key == as_complaint.key
    assert as_complaint.type is EventType.COMPLAINED


def test_delivery_open_and_click_are_told_apart_by_what_they_say() -> None:
    common = {"MessageID": MESSAGE_ID, "Recipient": "ada@mill.example", "Metadata": {"Postroad-Message": "a-ref"}}
    delivery = common | {"RecordType": "Delivery", "DeliveredAt": "2026-03-01T12:00:00Z", "Details": "250 ok"}
    opened = common | {
        "RecordType": "Open",
        "FirstOpen": True,
        "ReceivedAt": "2026-03-01T07:00:00-05:00",
        "UserAgent": "Thunderbird",
        "Geo": {"IP": "203.0.113.9", "Country": "NZ"},
    }
    click = opened | {"RecordType": "Click", "OriginalLink": "https://mill.example/x"}
    again = click | {"ReceivedAt": "2026-03-01T12:00:01Z"}
    events = [parse_one(payload) for payload in (delivery, opened, click, again)]
    assert [e.type for e in events] == [EventType.DELIVERED, EventType.OPENED, EventType.CLICKED, EventType.CLICKED]
    assert len({e.key for e in events}) == 4
    assert {e.message_ref for e in events} == {"a-ref"}
    assert {e.occurred_at for e in events[:3]} == {NOW}
    assert (events[1].ip, events[1].user_agent) == ("203.0.113.9", "Thunderbird")
    assert events[2].url == "https://mill.example/x"


@pytest.mark.parametrize(
    ("suppress", "reason", "expected", "bounce_type"),
    [
        (True, "HardBounce", EventType.BOUNCED, BounceType.HARD),
        (True, "SpamComplaint", EventType.COMPLAINED, None),
        (True, "ManualSuppression", EventType.UNSUBSCRIBED, None),
        (False, None, EventType.SUBSCRIBED, None),
    ],
)
def test_subscription_change_means_what_its_reason_says(
    suppress: bool, reason: str | None, expected: EventType, bounce_type: BounceType | None
) -> None:
    parsed = parse_one(
        {
            "RecordType": "SubscriptionChange",
            "MessageID": None,
            "ServerID": 23,
            "MessageStream": "outbound",
            "ChangedAt": "2026-03-01T12:00:00Z",
            "Recipient": "ada@mill.example",
            "Origin": "Recipient",
            "SuppressSending": suppress,
            "SuppressionReason": reason,
            "Tag": None,
            "Metadata": {},
        }
    )
    assert (parsed.type, parsed.bounce_type) == (expected, bounce_type)
    assert parsed.recipient == "ada@mill.example"


def test_reply_names_what_it_answers_nearest_first_and_whose_it_is() -> None:
    parsed = parse_one(inbound())
    assert parsed.type is EventType.REPLIED
    assert parsed.key == "postmark:inbound:73e6d360-66eb-11e1-8e72-a8904824019b"
    assert parsed.in_reply_to == ("ref-2@ours.example", "ref-1@ours.example")
    assert parsed.recipient == "ada@mill.example"
    assert parsed.occurred_at is None, "the Date header is its sender's word"


@pytest.mark.parametrize(
    "payload",
    [
        with_header("Auto-Submitted", "auto-replied"),
        with_header("auto-submitted", "auto-generated; owner=x"),
        with_header("X-Autoreply", "yes"),
        with_header("X-Autorespond", "holiday"),
        with_header("X-Auto-Response-Suppress", "All"),
        with_header("Precedence", "auto_reply"),
        with_header("Precedence", "Bulk"),
        with_header("Return-Path", "<>"),
        with_header("Content-Type", 'multipart/report; report-type="delivery-status"'),
        inbound(Subject="Automatic reply: hello"),
        inbound(Subject="Out of Office: hello"),
        inbound(Subject="Abwesenheitsnotiz: bin im Urlaub"),
        inbound(Subject="Réponse automatique : absent"),
        inbound(Subject="自動返信: 不在"),
    ],
)
def test_automatic_reply_is_no_reply(payload: dict[str, Any]) -> None:
    assert parse_one(payload).type is EventType.AUTORESPONDED


@pytest.mark.parametrize(
    "payload",
    [
        with_header("Auto-Submitted", "no"),
        with_header("Precedence", "first-class"),
        with_header("Return-Path", "<ada@mill.example>"),
        inbound(Subject="Re: your automatic reply feature"),
        inbound(Subject=""),
    ],
)
def test_mail_by_a_person_is_a_reply(payload: dict[str, Any]) -> None:
    assert parse_one(payload).type is EventType.REPLIED


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"RecordType": None},
        {"RecordType": "Telepathy"},
        {"RecordType": "Bounce"},
        bounce("HardBounce", BouncedAt="soon"),
        bounce("HardBounce", BouncedAt=None),
        bounce("HardBounce", MessageID=None, Email=None),
        {"Headers": None, "Subject": None},
        {"Headers": [1, {}, {"Name": 3, "Value": None}]},
    ],
)
def test_record_that_cannot_be_read_is_rejected_with_a_reason(payload: dict[str, Any]) -> None:
    parsed = POSTMARK.parse(json.dumps(payload).encode())
    assert parsed.events == ()
    assert parsed.rejected[0].reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=30),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)
NAMES = ["RecordType", "Type", "MessageID", "Email", "Recipient", "BouncedAt", "Metadata", "Headers", "FromFull", "Geo",
         "Subject", "ID", "Details", "OriginalLink", "ReceivedAt"]  # fmt: skip
RECORDS = ["Bounce", "Open", "Click", "Delivery", "SpamComplaint", "SubscriptionChange", "2026-03-01T12:00:00Z"]


@given(st.dictionaries(st.sampled_from(NAMES), JSON | st.sampled_from(RECORDS), max_size=12))
def test_record_of_any_shape_is_an_event_or_rejected_and_fits_the_table(payload: dict[str, Any]) -> None:
    parsed = POSTMARK.parse(json.dumps(payload).encode())
    assert len(parsed.events) + len(parsed.rejected) == 1
    for one in parsed.events:
        for value in (one.key, one.message_ref, one.provider_message_id, one.recipient, one.detail, one.url):
            if value is not None:
                value.encode()
                assert "\x00" not in value
