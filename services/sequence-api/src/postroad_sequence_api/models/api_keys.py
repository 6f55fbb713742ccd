"""API keys and what they may."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field

from postroad_sequence_api.models.base import Body, View
from postroad_sequence_api.models.fields import Name

Role = Literal["owner", "editor", "viewer"]
NOUNS: Final = (
    "api-keys",
    "contacts",
    "enrollments",
    "events",
    "messages",
    "senders",
    "sequences",
    "suppressions",
    "templates",
    "tenants",
    "verify",
    "webhook-sources",
)
"""What scopes are for: the handlers' files."""


def _known_scope(value: str) -> str:
    noun, _, verb = value.partition(":")
    if noun not in NOUNS or verb not in {"read", "write"}:
        raise ValueError(f"must be <noun>:read or <noun>:write, the noun one of {', '.join(NOUNS)}")
    return value


Scope = Annotated[str, AfterValidator(_known_scope), Field(examples=["contacts:read"])]
"""What a key may do with one kind of thing; write holds read."""


class ApiKeyNew(Body):
    """An API key to make. scopes narrow what the role may; without them it may all of it."""

    name: Name
    role: Role
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=50)] | None = None
    expires_at: AwareDatetime | None = None


class ApiKey(View):
    """An API key without its secret. last_used_at is to the minute."""

    id: UUID
    name: str
    role: Role
    scopes: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class ApiKeyMade(ApiKey):
    """An API key, its secret shown this once."""

    key: str
