"""How providers prove themselves: the schemes, each a pure function of request, secrets and time."""

import base64
import binascii
import hmac
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from postroad_tracker.esp.model import Genuine, Refused, Unauthenticated, Verdict, WebhookRequest

_OLDEST: Final = timedelta(hours=48)
"""Retries go on for 24 hours with the signature of the first try, so a window of minutes would lose events."""

_FURTHEST: Final = timedelta(minutes=10)


def basic_auth(request: WebhookRequest, credentials: Iterable[str]) -> Verdict:
    """HTTP Basic (RFC 7617) against several live "user:password" pairs, all compared, each in constant time."""
    header = request.headers.get("authorization")
    if header is None:
        return Unauthenticated('Basic realm="postroad", charset="UTF-8"')
    scheme, _, encoded = header.partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        given = b""
    live = [credential for credential in credentials if all(credential.partition(":"))]
    known = [hmac.compare_digest(given, credential.encode()) for credential in live]
    if scheme.lower() == "basic" and any(known):
        return Genuine()
    return Refused("wrong_credentials", "The credentials are not those of this webhook source.")


def ecdsa_p256(signed: bytes, signature: str, *, public_keys: Iterable[str], signed_at: str, now: datetime) -> Verdict:
    """ECDSA over P-256 and SHA-256: a DER signature in base64, keys as base64 of DER SubjectPublicKeyInfo.

    signed_at is Unix seconds and must itself be part of what is signed.
    """
    raw = _strict_base64(signature)
    if raw is None or not any(_signed_by(key, raw, signed) for key in public_keys):
        return Refused("bad_signature", "The signature does not fit the body and the keys of this webhook source.")
    return _fresh(signed_at, now)


def _signed_by(public_key: str, signature: bytes, signed: bytes) -> bool:
    key = _load_p256(public_key)
    if key is None:
        return False
    try:
        key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=1_000)
def _load_p256(public_key: str) -> ec.EllipticCurvePublicKey | None:
    raw = _strict_base64(public_key.strip())
    try:
        key = serialization.load_der_public_key(raw or b"")
    except (ValueError, UnsupportedAlgorithm):
        return None
    is_p256 = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    return key if is_p256 else None  # type: ignore[return-value] # is_p256 has narrowed it


def _strict_base64(encoded: str) -> bytes | None:
    """The bytes, when this is their only spelling: spare bits of the last character are zero."""
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == encoded else None


def _fresh(signed_at: str, now: datetime) -> Verdict:
    if not signed_at.isascii() or not signed_at.isdigit() or len(signed_at) > 11:
        return Refused("bad_signature", "The signed timestamp is not a number of seconds.")
    age = now - datetime.fromtimestamp(int(signed_at), UTC)
    if age > _OLDEST:
        return Refused("stale_signature", "The signed timestamp is more than 48 hours old.")
    if age < -_FURTHEST:
        return Refused("stale_signature", "The signed timestamp is more than 10 minutes ahead.")
    return Genuine()
