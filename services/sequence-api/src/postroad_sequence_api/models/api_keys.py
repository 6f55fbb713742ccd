"""API keys and what they may."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from postroad_sequence_api.models.base import Body, View
from postroad_sequence_api.models.fields import Moment, Name, Secret, said

Role = Literal["owner", "editor", "viewer"]
NOUNS: Final = (
    "accounts",
    "analytics",
    "api-keys",
    "attributes",
    "contacts",
    "enrollments",
    "events",
    "jobs",
    "intents",
    "messages",
    "senders",
    "sequences",
    "suppressions",
    "templates",
    "tenants",
    "verify",
    "webhook-deliveries",
    "webhook-sources",
    "webhook-subscriptions",
)
"""What scopes are for: the handlers' files."""


def _known_scope(value: str) -> str:
    noun, _, verb = value.partition(":")
    if noun not in NOUNS or verb not in {"read", "write"}:
        raise ValueError(f"must be <noun>:read or <noun>:write, the noun one of {', '.join(NOUNS)}")
    return value


Scope = Annotated[
    str,
    AfterValidator(_known_scope),
    said(enum=[f"{noun}:{verb}" for noun in NOUNS for verb in ("read", "write")], examples=["contacts:read"]),
]
"""What a key may do with one kind of thing; write holds read."""


class ApiKeyNew(Body):
    """An API key to make. scopes narrow what the role may; without them it may all of it."""

    name: Annotated[Name, said(examples=["CRM"])]
    role: Role
    """owner: everything, keys and senders too; editor: all but those; viewer: reading."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=50)] | None = None
    """What the key may of that; null: all."""
    expires_at: Moment | None = None


class ApiKey(View):
    """An API key without its secret. last_used_at is to the minute."""

    id: UUID
    name: str
    role: Role
    scopes: tuple[str, ...] | None
    """What the key may of what its role may; null: all."""
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    """To the minute."""
    revoked_at: datetime | None


class ApiKeyMade(ApiKey):
    """An API key, its secret shown this once."""

    key: Annotated[Secret, Field(examples=["pr_..."])]
    """The key itself: it is not shown again."""
