"""Open, click and unsubscribe tokens: sealed, self-contained, readable while the database is down.

Inside: one byte of layout, the tenant's and the message's 16 bytes each, then for sampled traces 25 bytes of
traceparent, then the URL of a click. Each kind is sealed under a key of its own.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from postroad_common.errors import SealError, TokenError, TokenTooLongError
from postroad_common.sealing import KeyRing

MAX_URL_BYTES: Final = 1_500
"""A longer URL would make links that mail programs break."""

_TRACED: Final = 0x01
_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


class TokenKind(StrEnum):
    """What a request with the token means."""

    OPEN = "open"
    CLICK = "click"
    UNSUBSCRIBE = "unsubscribe"


@dataclass(frozen=True, slots=True)
class TrackingToken:
    """Whose message a hit belongs to, and for a click where it leads."""

    kind: TokenKind
    tenant_id: UUID
    message_id: UUID
    url: str | None = None
    traceparent: str | None = None

    def seal(self, keyring: KeyRing) -> str:
        """The token as unpadded base64url; raises TokenTooLongError."""
        url = (self.url or "").encode()
        if len(url) > MAX_URL_BYTES:
            raise TokenTooLongError(f"a tracked URL has at most {MAX_URL_BYTES} bytes, not {len(url)}")
        trace = _pack_trace(self.traceparent)
        layout = bytes([_TRACED if trace else 0])
        plain = layout + self.tenant_id.bytes + self.message_id.bytes + trace + url
        sealed = keyring.seal(f"token.{self.kind}", plain)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def open_token(keyring: KeyRing, kind: TokenKind | str, text: str) -> TrackingToken:
    """Read a token of the given kind; raises TokenError for anything that we did not seal as that kind."""
    kind = TokenKind(kind)
    try:
        plain = keyring.open(f"token.{kind}", _decode(text))
    except SealError as error:
        raise TokenError("not a token of ours") from error
    rest = plain[33:]
    trace = None
    if plain[0] & _TRACED:
        trace, rest = _unpack_trace(rest[:25]), rest[25:]
    return TrackingToken(
        kind=kind,
        tenant_id=UUID(bytes=plain[1:17]),
        message_id=UUID(bytes=plain[17:33]),
        url=rest.decode() or None,
        traceparent=trace,
    )


def _decode(text: str) -> bytes:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise TokenError("a token is base64url") from error
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise TokenError("a token has one spelling")
    return raw


def _pack_trace(traceparent: str | None) -> bytes:
    match = _TRACEPARENT.fullmatch(traceparent or "")
    return bytes.fromhex("".join(match.groups())) if match else b""


def _unpack_trace(packed: bytes) -> str:
    return f"00-{packed[:16].hex()}-{packed[16:24].hex()}-{packed[24:].hex()}"
