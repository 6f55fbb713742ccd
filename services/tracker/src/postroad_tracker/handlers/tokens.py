"""Opening the tokens in public URLs. Whatever is wrong with one, the answer is the same 404."""

from typing import Final
from uuid import UUID

from postroad_common.contracts.tokens import TokenKind, TrackingToken, open_token
from postroad_common.errors import TokenError
from postroad_common.problems import Problem
from postroad_common.sealing import KeyRing

MAX_TOKEN: Final = 4_000
"""Longer than any token: a URL of the longest kind, sealed, in base64."""


class Tokens:
    """Opens tokens that are ours, whole, of the right kind and not revoked."""

    def __init__(self, keyring: KeyRing, revoked: frozenset[UUID]) -> None:
        self._keyring = keyring
        self._revoked = revoked

    def open(self, text: str, kind: TokenKind) -> TrackingToken:
        """The token of a URL; raises Problem 404."""
        try:
            token = open_token(self._keyring, kind, text) if len(text) <= MAX_TOKEN else None
        except TokenError:
            token = None
        if token is None or {token.tenant_id, token.message_id} & self._revoked:
            raise Problem(404, "not_found", "This link is not known")
        return token
