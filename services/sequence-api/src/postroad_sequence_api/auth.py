"""Who calls: API keys of tenants, and the operator's token."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Final
from uuid import UUID

from postroad_common.db import AnyConnection, queries
from postroad_common.errors import RefError
from postroad_common.ids import pack_ref, unpack_ref
from postroad_sequence_api.errors import ForbiddenError, UnauthorizedError

_SQL: Final = queries("postroad_sequence_api", "api_keys")
_PREFIX: Final = "pr_"
_REF: Final = slice(3, 46)
_SECRET: Final = slice(47, None)
_KEY_LENGTH: Final = 90


class Role(IntEnum):
    """What a key may do; each role may do all that the ones before it may."""

    viewer = 1
    editor = 2
    owner = 3


@dataclass(frozen=True, slots=True)
class Caller:
    """The key that a request came with."""

    tenant_id: UUID
    api_key_id: UUID
    role: Role
    scopes: frozenset[str] | None
    """None: all that the role may."""
    expires_at: datetime | None
    """None: never."""

    def require(self, role: Role, scope: str) -> None:
        """Raises ForbiddenError unless the caller's role is at least this one and its scopes hold this one."""
        if self.role < role:
            raise ForbiddenError(f"the role {self.role.name}", f"the role {role.name}")
        if not self.may(scope):
            raise ForbiddenError(f"the scopes {', '.join(sorted(self.scopes or ()))}", scope)

    def may(self, scope: str) -> bool:
        """Whether the scopes hold this one. What may write may read."""
        noun, _, verb = scope.partition(":")
        return self.scopes is None or scope in self.scopes or (verb == "read" and f"{noun}:write" in self.scopes)


def new_secret() -> str:
    """32 random bytes as 43 characters of base64url."""
    return urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()


def key_text(tenant_id: UUID, api_key_id: UUID, secret: str) -> str:
    """The key as its holder keeps it: pr_<tenant and key id>_<secret>."""
    return f"{_PREFIX}{pack_ref(tenant_id, api_key_id)}_{secret}"


def hash_secret(secret: str) -> bytes:
    """What is stored of a secret. It is 32 random bytes: there is nothing to guess that a slow hash would protect."""
    return hashlib.sha256(secret.encode()).digest()


def bearer(header: str | None) -> str:
    """The token of an Authorization header; raises UnauthorizedError."""
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token.isascii():
        raise UnauthorizedError
    return token.strip()


def check_operator(token: str, expected: str) -> None:
    """Raises UnauthorizedError unless the token is the operator's; in constant time."""
    if not hmac.compare_digest(hash_secret(token), hash_secret(expected)):
        raise UnauthorizedError


@dataclass(frozen=True, slots=True)
class Token:
    """An API key as it was sent. The tenant comes from the key, so the wall is up before anything is read."""

    tenant_id: UUID
    api_key_id: UUID
    secret: str = field(repr=False)


async def log_in(conn: AnyConnection, token: Token) -> Caller:
    """Whose key this is, in a transaction of its tenant; raises UnauthorizedError."""
    row = await conn.fetchrow(_SQL.api_key_for_login, token.tenant_id, token.api_key_id)
    stored = row["secret_hash"] if row is not None else bytes(32)
    matches = hmac.compare_digest(stored, hash_secret(token.secret))
    if row is None or not matches or not row["valid"]:
        raise UnauthorizedError
    scopes = row["scopes"]
    return Caller(
        token.tenant_id,
        token.api_key_id,
        Role[row["role"]],
        None if scopes is None else frozenset(scopes),
        row["expires_at"],
    )


def read_token(token: str) -> Token:
    """The parts of a bearer token; raises UnauthorizedError for what is no API key."""
    # Base64url may hold underscores itself: the parts are found by length.
    if len(token) != _KEY_LENGTH or not token.startswith(_PREFIX) or token[_REF.stop] != "_":
        raise UnauthorizedError
    try:
        tenant_id, api_key_id = unpack_ref(token[_REF])
    except RefError as error:
        raise UnauthorizedError from error
    return Token(tenant_id, api_key_id, token[_SECRET])
