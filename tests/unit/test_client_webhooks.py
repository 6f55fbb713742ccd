"""Webhooks are verified as Standard Webhooks says, and typed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import get_args
from uuid import uuid4

import pytest
from standardwebhooks import Webhook
from standardwebhooks import WebhookVerificationError as TheirError
from typing_extensions import override

from postroad import InputError, webhooks
from postroad.models import ApiKeyMade, CredentialsShown, MessageBounced, MessageReplied, WebhookSubscriptionMade
from postroad_sequence_api.webhooks import events
from postroad_sequence_api.webhooks.signing import new_secret, signed
from tests.unit.described import a

SECRET, OTHER = new_secret(), new_secret()
NOW = int(time.time())
BODY = events.MessageReplied(
    id=uuid4(),
    timestamp=datetime(2026, 11, 22, 15, tzinfo=UTC),
    tenant_id=uuid4(),
    data=events.MessageData(
        message_id=uuid4(), contact_id=uuid4(), enrollment_id=None, sequence_id=None, step_key="step-1"
    ),
).body()


class Stopped(datetime):
    """A clock that stands at NOW."""

    @classmethod
    @override
    def now(cls, tz: tzinfo | None = None) -> Stopped:
        return cls.fromtimestamp(NOW, tz)


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was signed when this file was read stays fresh, however long the tests before take."""
    monkeypatch.setattr("postroad.webhooks.time.time", lambda: NOW)
    monkeypatch.setattr("standardwebhooks.webhooks.datetime", Stopped)


def headers(*secrets: str, body: bytes = BODY, at: int = NOW) -> dict[str, str]:
    return dict(signed("evt_1", at, body, secrets))


def test_what_postroad_signs_is_verified_and_typed() -> None:
    event = webhooks.verify(BODY, headers(SECRET), SECRET)
    assert isinstance(event, MessageReplied)
    assert event.data.step_key == "step-1"
    assert event.model_dump(mode="json") == json.loads(BODY)


@pytest.mark.parametrize("sent", [headers(SECRET), headers(OTHER, SECRET)], ids=["one", "several"])
@pytest.mark.parametrize("name", [str.lower, str.title])
@pytest.mark.parametrize(
    "known", [SECRET, [OTHER, SECRET], frozenset({SECRET, OTHER})], ids=["a secret", "a list", "a set"]
)
def test_one_signature_by_one_secret_is_enough(
    sent: dict[str, str], name: Callable[[str], str], known: str | list[str] | frozenset[str]
) -> None:
    written = {name(header): value for header, value in sent.items()}
    assert webhooks.verify(BODY.decode(), written, known).type == "message.replied"


SIGNATURE = headers(SECRET)["webhook-signature"]
FORGED = {
    "another secret": (BODY, headers(OTHER)),
    "another body": (BODY + b" ", headers(SECRET)),
    "another time": (BODY, {**headers(SECRET), "webhook-timestamp": str(NOW + 1)}),
    "another id": (BODY, {**headers(SECRET), "webhook-id": "evt_2"}),
    "another scheme": (BODY, headers(SECRET) | {"webhook-signature": SIGNATURE.replace("v1,", "v1a,")}),
    "no signature": (BODY, {**headers(SECRET), "webhook-signature": ""}),
    "letters beyond ASCII": (BODY, {**headers(SECRET), "webhook-signature": "v1,ü"}),
    "no time": (BODY, {**headers(SECRET), "webhook-timestamp": "now"}),
    "too old": (BODY, headers(SECRET, at=NOW - 900)),
    "too early": (BODY, headers(SECRET, at=NOW + 900)),
    "no header": (BODY, {}),
}


@pytest.mark.parametrize("what", FORGED)
def test_anything_else_is_refused_by_us_and_by_the_kept_library(what: str) -> None:
    body, sent = FORGED[what]
    with pytest.raises(webhooks.WebhookVerificationError):
        webhooks.verify(body, sent, SECRET)
    with pytest.raises((TheirError, ValueError)):
        Webhook(SECRET).verify(body, sent)


def test_what_the_kept_library_signs_and_takes_we_take_too() -> None:
    theirs = Webhook(SECRET)
    at = datetime.fromtimestamp(NOW, tz=UTC)
    sent = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": theirs.sign("evt_1", at, BODY.decode()),
    }
    assert theirs.verify(BODY, sent) == json.loads(BODY)
    assert webhooks.verify(BODY, sent, SECRET).type == "message.replied"


def test_the_time_may_differ_by_five_minutes_or_as_said() -> None:
    sent = headers(SECRET, at=1_000_000)
    assert webhooks.verify(BODY, sent, SECRET, now=1_000_300).type == "message.replied"
    assert webhooks.verify(BODY, sent, SECRET, now=999_000, tolerance=1_000).type == "message.replied"
    for now in (999_699, 1_000_301):
        with pytest.raises(webhooks.WebhookVerificationError, match="300 seconds"):
            webhooks.verify(BODY, sent, SECRET, now=now)


def test_a_type_that_is_newer_than_the_client_is_given_as_it_is() -> None:
    said = json.loads(BODY) | {"type": "message.printed", "data": {"paper": "A4"}}
    body = json.dumps(said).encode()
    event = webhooks.verify(body, headers(SECRET, body=body), SECRET)
    assert isinstance(event, webhooks.UnknownEvent)
    assert (event.type, event.data) == ("message.printed", {"paper": "A4"})


def test_a_field_that_is_newer_is_passed_over_and_one_that_is_gone_is_refused() -> None:
    said = json.loads(BODY) | {"type": "message.bounced"}
    said["data"] |= {"bounce_type": "new kind", "mood": 3}
    body = json.dumps(said).encode()
    event = webhooks.verify(body, headers(SECRET, body=body), SECRET)
    assert isinstance(event, MessageBounced)
    assert event.data.bounce_type == "new kind"

    del said["data"]
    body = json.dumps(said).encode()
    with pytest.raises(webhooks.WebhookVerificationError, match="no event"):
        webhooks.verify(body, headers(SECRET, body=body), SECRET)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_ü", "whsec_not base64!"])
def test_a_secret_that_is_none_is_a_fault_of_ones_own(secret: str) -> None:
    with pytest.raises(InputError, match="whsec_"):
        webhooks.verify(BODY, headers(SECRET), secret)


def test_a_secret_is_kept_out_of_what_is_printed() -> None:
    for model, field in ((ApiKeyMade, "key"), (CredentialsShown, "password"), (WebhookSubscriptionMade, "secret")):
        made = model.model_validate(a(model.__name__, **{field: "s3cr3t"}))
        assert getattr(made, field) == "s3cr3t"
        assert "s3cr3t" not in repr(made) + str(made)


def test_every_event_of_the_api_has_its_model() -> None:
    union, *_ = get_args(webhooks.WebhookEvent)
    assert {one.__name__ for one in get_args(union)} == {one.__name__ for one in events.EVENTS.values()}
