"""Fakes of the two mail providers' webhooks, written from their documentation: nothing here was seen on the wire.

Each builds the bytes that the provider would post, signed or authenticated as it would.
SendGrid: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
Postmark: https://postmarkapp.com/developer/webhooks/webhooks-overview
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


@dataclass(frozen=True)
class WebhookRequest:
    """What a provider posts: headers and raw body."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class FakeSendGrid:
    """Signs event batches with an EC key of its own; `public_key` is what its settings page would show."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def public_key(self) -> str:
        """Base64 of the DER SubjectPublicKeyInfo."""
        return base64.b64encode(
            self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).decode()

    def event(self, kind: str, *, email: str, ref: str | None, **fields: Any) -> dict[str, Any]:
        """One event; `ref` is what our mail carried in X-SMTPAPI's unique_args."""
        event: dict[str, Any] = {
            "email": email,
            "timestamp": int(time.time()),
            "event": kind,
            "sg_event_id": base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="),
            "sg_message_id": f"{uuid.uuid4().hex}.recvd-0",
        }
        if ref is not None:
            event["postroad_message"] = ref
        return event | fields

    def request(self, events: Sequence[Mapping[str, Any]], *, at: int | None = None) -> WebhookRequest:
        """The signed batch: ECDSA over timestamp and raw body, elements apart by `,\\r\\n` and a final `\\r\\n`."""
        body = b"[" + b",\r\n".join(json.dumps(event).encode() for event in events) + b"]\r\n"
        timestamp = str(int(time.time()) if at is None else at)
        signature = self.key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return WebhookRequest(
            {
                "Content-Type": "application/json",
                "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
                "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            },
            body,
        )


@dataclass(frozen=True)
class FakePostmark:
    """Posts single objects with Basic credentials."""

    username: str
    password: str

    def request(self, payload: Mapping[str, Any]) -> WebhookRequest:
        """The payload with the credentials of the webhook's URL."""
        token = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return WebhookRequest(
            {"Content-Type": "application/json", "Authorization": f"Basic {token}"}, json.dumps(payload).encode()
        )

    def bounce(self, *, email: str, ref: str, kind: str = "HardBounce") -> dict[str, Any]:
        """A bounce of a message that carried `ref` in its metadata."""
        return {
            "RecordType": "Bounce",
            "ID": uuid.uuid4().int % 10**15,
            "Type": kind,
            "TypeCode": 1 if kind == "HardBounce" else 4096,
            "MessageID": str(uuid.uuid4()),
            "Metadata": {"postroad-message": ref},
            "Description": "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
            "Details": "smtp;550 5.1.1 The email account that you tried to reach does not exist.",
            "Email": email,
            "BouncedAt": datetime.now(UTC).isoformat(),
            "Inactive": True,
            "CanActivate": True,
        }

    def delivery(self, *, email: str, ref: str) -> dict[str, Any]:
        """A delivery of a message that carried `ref` in its metadata."""
        return {
            "RecordType": "Delivery",
            "MessageID": str(uuid.uuid4()),
            "Recipient": email,
            "DeliveredAt": datetime.now(UTC).isoformat(),
            "Details": "Test delivery webhook details",
            "Metadata": {"postroad-message": ref},
        }

    def reply(
        self, *, email: str, in_reply_to: str, text: str, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """An inbound mail that answers the message with that Message-ID; more headers make it an auto-reply."""
        sent = {
            "Message-ID": f"<{uuid.uuid4().hex}@mail.example>",
            "In-Reply-To": in_reply_to,
            "References": in_reply_to,
            **(headers or {}),
        }
        return {
            "From": email,
            "FromFull": {"Email": email, "Name": "", "MailboxHash": ""},
            "To": "hello@postroad.example",
            "ToFull": [{"Email": "hello@postroad.example", "Name": "", "MailboxHash": ""}],
            "OriginalRecipient": "hello@postroad.example",
            "Subject": "Re: hello",
            "MessageID": str(uuid.uuid4()),
            "MailboxHash": "",
            "Date": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S +0000"),
            "TextBody": text,
            "HtmlBody": "",
            "StrippedTextReply": text,
            "Tag": "",
            "Headers": [{"Name": name, "Value": value} for name, value in sent.items()],
            "Attachments": [],
        }
