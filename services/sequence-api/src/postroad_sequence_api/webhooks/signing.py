"""Signatures by Standard Webhooks (the specification's symmetric scheme, v1)."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32  # the specification takes 24 to 64


def new_secret() -> str:
    """A secret as receivers are given it: whsec_ and base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed(event_id: str, timestamp: int, body: bytes, keys: Sequence[str]) -> Mapping[str, str]:
    """The headers of a post, with a signature by each of the secrets: a receiver needs to know one of them."""
    content = b"%s.%d.%s" % (event_id.encode(), timestamp, body)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{_signature(key, content)}" for key in keys),
    }


def _signature(key: str, content: bytes) -> str:
    secret = base64.b64decode(key.removeprefix(_PREFIX))
    return base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
