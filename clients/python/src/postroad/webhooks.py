"""What Postroad posts to you: verified by Standard Webhooks (https://www.standardwebhooks.com), and typed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from postroad.errors import InputError, PostroadError
from postroad.models import WebhookEvent

__all__ = ["TOLERANCE_SECONDS", "UnknownEvent", "WebhookEvent", "WebhookVerificationError", "verify"]

TOLERANCE_SECONDS: Final = 300
_PREFIX: Final = "whsec_"
_KNOWN: Final[TypeAdapter[WebhookEvent]] = TypeAdapter(WebhookEvent)


class WebhookVerificationError(PostroadError):
    """What came is not from Postroad, or is too old: answer 400 and do nothing."""


class UnknownEvent(BaseModel):
    """An event of a type that is newer than this package."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID
    type: str
    timestamp: datetime
    tenant_id: UUID
    data: Mapping[str, Any]


def verify(
    payload: bytes | str,
    headers: Mapping[str, str],
    secret: str | Iterable[str],
    *,
    tolerance: float = TOLERANCE_SECONDS,
    now: float | None = None,
) -> WebhookEvent | UnknownEvent:
    """The event of a post, once it is certain that Postroad sent it, and when.

    payload: the body as it came, byte by byte. headers: the request's, in any case. secret: the subscription's
    `whsec_...`, or several, of which one must fit. tolerance: by how many seconds the clocks may differ. now: UNIX
    time, by default the clock's. An event may come more than once: `id` is the same each time.

    Raises WebhookVerificationError, and InputError for a secret that is none.
    """
    sent = {name.lower(): value for name, value in headers.items()}
    try:
        event_id, timestamp, signatures = (sent[f"webhook-{part}"] for part in ("id", "timestamp", "signature"))
    except KeyError as error:
        raise WebhookVerificationError(f"There is no header {error}.") from None
    body = payload.encode() if isinstance(payload, str) else payload
    _check_time(timestamp, tolerance, time.time() if now is None else now)
    keys = [_key_of(one) for one in ([secret] if isinstance(secret, str) else secret)]
    if not _is_signed(f"{event_id}.{timestamp}.".encode() + body, signatures, keys):
        raise WebhookVerificationError("No signature fits the body and the secret.")
    return _event(body)


def _check_time(timestamp: str, tolerance: float, now: float) -> None:
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise WebhookVerificationError("webhook-timestamp is no time.")
    if abs(now - int(timestamp)) > tolerance:
        raise WebhookVerificationError(f"webhook-timestamp is more than {tolerance:g} seconds from now.")


def _key_of(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise InputError("A webhook secret is whsec_ and base64, as it was answered when it was made.")
    return key


def _is_signed(content: bytes, signatures: str, keys: Iterable[bytes]) -> bool:
    """Whether one of the signatures, `v1,<base64>` each, is by one of the keys; all are compared, in constant time."""
    given = [signature.encode() for signature in signatures.split()]
    fits = False
    for key in keys:
        expected = b"v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256))
        for signature in given:
            fits |= hmac.compare_digest(signature, expected)
    return fits


def _event(body: bytes) -> WebhookEvent | UnknownEvent:
    try:
        return _KNOWN.validate_json(body)
    except ValidationError as error:
        if error.errors(include_url=False)[0]["type"] != "union_tag_invalid":
            raise WebhookVerificationError("It is signed, but no event of Postroad.") from error
    try:
        return UnknownEvent.model_validate_json(body)
    except ValidationError as error:
        raise WebhookVerificationError("It is signed, but no event of Postroad.") from error
