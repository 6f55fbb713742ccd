"""SendGrid: what its signature covers, and what its events mean. Payloads follow its Event Webhook reference."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from postroad_tracker.errors import UnreadableBodyError
from postroad_tracker.esp.model import Genuine, Refused, Unauthenticated, WebhookRequest
from postroad_tracker.esp.sendgrid import SENDGRID, SIGNATURE, TIMESTAMP
from postroad_tracker.events import BounceType, EventType, NormalisedEvent

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
BODY = b'[{"event":"open","sg_event_id":"e1","timestamp":1772366400,"email":"ada@mill.example"},\r\n{"event":"x"}]\r\n'


def public(key: Any) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def signed(body: bytes = BODY, *, at: datetime = NOW, key: ec.EllipticCurvePrivateKey = KEY) -> WebhookRequest:
    timestamp = str(int(at.timestamp()))
    signature = key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return WebhookRequest({SIGNATURE: base64.b64encode(signature).decode(), TIMESTAMP: timestamp}, body)


def verdict(request: WebhookRequest, *keys: str) -> object:
    return SENDGRID.verify(request, {"public_keys": keys or (public(KEY),)}, NOW)


def code(request: WebhookRequest, *keys: str) -> str:
    result = verdict(request, *keys)
    assert isinstance(result, Refused), result
    return result.code


def event(**fields: Any) -> dict[str, Any]:
    return {
        "email": "Ada@Mill.example",
        "timestamp": 1772366400,
        "event": "delivered",
        "sg_event_id": "ZGVsaXZlcmVk",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        "postroad_message": "a-ref",
    } | fields


def parse_one(**fields: Any) -> NormalisedEvent:
    parsed = SENDGRID.parse(json.dumps([event(**fields)]).encode())
    assert parsed.rejected == ()
    return parsed.events[0]


def test_signature_over_timestamp_and_raw_body_is_genuine() -> None:
    assert verdict(signed()) == Genuine()


def test_any_of_several_live_keys_verifies_so_that_keys_rotate() -> None:
    assert verdict(signed(key=OTHER), public(KEY), public(OTHER)) == Genuine()


def test_key_of_another_source_is_refused() -> None:
    assert code(signed(key=OTHER)) == "bad_signature"


def test_reserialised_body_is_refused() -> None:
    request = signed()
    tidy = json.dumps(json.loads(BODY)).encode()
    assert code(WebhookRequest(request.headers, tidy)) == "bad_signature"


def test_every_flipped_bit_of_the_signature_is_refused() -> None:
    request = signed()
    text = request.headers[SIGNATURE]
    for position in range(len(text)):
        for bit in range(7):
            flipped = text[:position] + chr(ord(text[position]) ^ (1 << bit)) + text[position + 1 :]
            assert code(WebhookRequest({**request.headers, SIGNATURE: flipped}, BODY)) == "bad_signature", flipped


def test_every_flipped_bit_of_timestamp_and_body_is_refused() -> None:
    request = signed()
    timestamp = request.headers[TIMESTAMP]
    for position in range(len(timestamp)):
        for bit in range(7):
            flipped = timestamp[:position] + chr(ord(timestamp[position]) ^ (1 << bit)) + timestamp[position + 1 :]
            assert code(WebhookRequest({**request.headers, TIMESTAMP: flipped}, BODY)) == "bad_signature"
    for position in range(0, len(BODY), 7):
        body = BODY[:position] + bytes([BODY[position] ^ 1]) + BODY[position + 1 :]
        assert code(WebhookRequest(request.headers, body)) == "bad_signature"


def test_timestamp_may_be_as_old_as_the_retries_but_no_older() -> None:
    assert verdict(signed(at=NOW - timedelta(hours=47))) == Genuine()
    assert code(signed(at=NOW - timedelta(hours=49))) == "stale_signature"
    assert verdict(signed(at=NOW + timedelta(minutes=9))) == Genuine()
    assert code(signed(at=NOW + timedelta(minutes=11))) == "stale_signature"


def test_missing_headers_are_unauthenticated_not_wrong() -> None:
    assert isinstance(verdict(WebhookRequest({}, BODY)), Unauthenticated)
    assert isinstance(verdict(WebhookRequest({SIGNATURE: "MEUC"}, BODY)), Unauthenticated)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "not base64",
        base64.b64encode(b"not a key").decode(),
        public(ec.generate_private_key(ec.SECP384R1())),
        public(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    ],
)
def test_key_that_is_no_p256_key_verifies_nothing_and_does_not_hide_the_good_one(key: str) -> None:
    assert code(signed(), key) == "bad_signature"
    assert verdict(signed(), key, public(KEY)) == Genuine()


def test_source_without_keys_verifies_nothing() -> None:
    assert SENDGRID.verify(signed(), {}, NOW) == Refused("bad_signature", "The signature does not fit the body and the "
                                                         "keys of this webhook source.")  # fmt: skip


@given(st.text(max_size=120), st.text(max_size=20), st.binary(max_size=60))
def test_whatever_arrives_is_refused_and_never_raises(signature: str, timestamp: str, body: bytes) -> None:
    request = WebhookRequest({SIGNATURE: signature, TIMESTAMP: timestamp}, body)
    assert isinstance(verdict(request), Refused)


@pytest.mark.parametrize(
    ("name", "fields", "expected", "bounce_type"),
    [
        ("processed", {}, EventType.QUEUED, None),
        ("delivered", {"response": "250 OK"}, EventType.DELIVERED, None),
        ("deferred", {"response": "451 later", "attempt": "3"}, EventType.DEFERRED, BounceType.SOFT),
        ("bounce", {"type": "bounce", "reason": "550 5.1.1 gone"}, EventType.BOUNCED, BounceType.HARD),
        ("bounce", {"reason": "550 5.1.1 gone"}, EventType.BOUNCED, BounceType.HARD),
        ("bounce", {"type": "blocked", "reason": "550 5.7.1 no"}, EventType.BOUNCED, BounceType.SOFT),
        ("dropped", {"reason": "Bounced Address"}, EventType.REJECTED, None),
        ("spamreport", {}, EventType.COMPLAINED, None),
        ("unsubscribe", {}, EventType.UNSUBSCRIBED, None),
        ("group_unsubscribe", {"asm_group_id": 10}, EventType.UNSUBSCRIBED, None),
        ("group_resubscribe", {"asm_group_id": 10}, EventType.SUBSCRIBED, None),
        ("open", {}, EventType.OPENED, None),
        ("click", {}, EventType.CLICKED, None),
        ("telepathy", {}, EventType.UNKNOWN, None),
    ],
)
def test_each_event_has_its_normalised_type(
    name: str, fields: dict[str, Any], expected: EventType, bounce_type: BounceType | None
) -> None:
    parsed = parse_one(event=name, **fields)
    assert (parsed.type, parsed.bounce_type) == (expected, bounce_type)


def test_event_carries_our_reference_its_own_id_and_what_identifies_the_message() -> None:
    parsed = parse_one(**{"smtp-id": "<ref@mill.example>"})
    assert parsed.key == "sendgrid:ZGVsaXZlcmVk"
    assert parsed.message_ref == "a-ref"
    assert parsed.provider_message_id == "14c5d75ce93"
    assert parsed.in_reply_to == ("<ref@mill.example>",)
    assert parsed.recipient == "ada@mill.example"
    assert parsed.occurred_at == NOW


def test_click_has_its_url_and_open_by_a_machine_is_marked() -> None:
    click = parse_one(event="click", url="https://mill.example/a?b=1", ip="203.0.113.9", useragent="Firefox")
    assert (click.url, click.ip, click.user_agent) == ("https://mill.example/a?b=1", "203.0.113.9", "Firefox")
    assert parse_one(event="open", sg_machine_open=True).machine
    assert not parse_one(event="open", sg_machine_open=False).machine


def test_ip_of_a_delivery_is_the_providers_own_and_not_kept() -> None:
    assert parse_one(event="delivered", ip="198.51.100.1").ip is None


def test_event_without_id_is_told_apart_by_what_it_says() -> None:
    keys = {
        parse_one(sg_event_id=None, **fields).key
        for fields in ({}, {"event": "open"}, {"timestamp": 1772366401}, {"email": "bo@mill.example"}, {"url": "x"})
    }
    assert len(keys) == 5
    assert parse_one(sg_event_id=None).key == parse_one(sg_event_id="").key


@pytest.mark.parametrize(
    "bad",
    [
        None,
        3,
        "text",
        [],
        {},
        {"event": "open"},
        {"event": 7, "timestamp": None},
        {"event": "open", "timestamp": "yesterday"},
        {"event": "open", "timestamp": 10**40},
        {"event": "open", "timestamp": -1},
        {"event": "open", "timestamp": True},
        {"event": "open", "timestamp": float("nan")},
        {"event": "open", "timestamp": 1772366400},
        {"event": {"a": 1}, "timestamp": 1772366400},
    ],
)
def test_one_bad_element_does_not_lose_its_batch(bad: object) -> None:
    parsed = SENDGRID.parse(json.dumps([event(), bad, event(sg_event_id="second")]).encode())
    assert [one.key for one in parsed.events] == ["sendgrid:ZGVsaXZlcmVk", "sendgrid:second"]
    assert [one.index for one in parsed.rejected] == [1]
    assert parsed.rejected[0].reason


def test_account_event_is_ignored() -> None:
    parsed = SENDGRID.parse(b'[{"event":"account_status_change","timestamp":1772366400,"type":"compliance_suspend"}]')
    assert (parsed.events, parsed.rejected, parsed.ignored) == ((), (), 1)


@pytest.mark.parametrize(
    "body", [b"", b"\x00", b"nonsense", b"3", b'"text"', b"null", b"[", b"\xff\xfe", b"[" * 100_000, b"9" * 9_000]
)
def test_body_that_is_no_batch_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableBodyError):
        SENDGRID.parse(body)


def test_batch_of_too_many_elements_is_unreadable() -> None:
    with pytest.raises(UnreadableBodyError, match="10000"):
        SENDGRID.parse(b"[" + b"0," * 10_000 + b"0]")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=30),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)
NAMES = ["event", "timestamp", "email", "sg_event_id", "sg_message_id", "smtp-id", "postroad_message", "url", "ip",
         "useragent", "reason", "type", "status", "sg_machine_open"]  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(NAMES), JSON | st.just("open") | st.just(1772366400), max_size=10)))
def test_every_element_of_any_shape_is_an_event_or_rejected_and_fits_the_table(elements: list[Any]) -> None:
    parsed = SENDGRID.parse(json.dumps(elements).encode())
    assert len(parsed.events) + len(parsed.rejected) + parsed.ignored == len(elements)
    for one in parsed.events:
        for value in (one.key, one.message_ref, one.provider_message_id, one.recipient, one.detail, one.url):
            if value is not None:
                value.encode()
                assert "\x00" not in value
                assert len(value) <= 2_000
