"""What a filter may speak of: the fixed fields, and what the tenant has defined."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import UUID


class Type(StrEnum):
    """How values of a subject are compared."""

    TEXT = "text"
    EXACT = "external id"
    ID = "id"
    CHOICE = "choice"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"


@dataclass(frozen=True, slots=True)
class Definition:
    """A defined attribute. index is its id while contact_values is complete for it."""

    type: Type
    index: UUID | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """What the tenant has: attributes by name, and sequences by the name or id that the filter gives them."""

    contact: Mapping[str, Definition] = field(default_factory=dict)
    account: Mapping[str, Definition] = field(default_factory=dict)
    sequences: Mapping[str, UUID] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fixed:
    """A fixed field: its type, and the only values it can have if they are few."""

    type: Type
    choices: tuple[str, ...] = ()


STATES: Final = ("active", "paused", "completed", "replied", "bounced", "unenrolled", "failed")
FIELDS: Final[Mapping[str, Fixed]] = {
    "id": Fixed(Type.ID),
    "email": Fixed(Type.TEXT),
    "domain": Fixed(Type.TEXT),
    "external_id": Fixed(Type.EXACT),
    "kind": Fixed(Type.CHOICE, ("lead", "party")),
    "first_name": Fixed(Type.TEXT),
    "last_name": Fixed(Type.TEXT),
    "company": Fixed(Type.TEXT),
    "timezone": Fixed(Type.TEXT),
    "created_at": Fixed(Type.DATETIME),
    "updated_at": Fixed(Type.DATETIME),
    "account": Fixed(Type.TEXT),
    "account.id": Fixed(Type.ID),
    "account.domain": Fixed(Type.TEXT),
    "account.external_id": Fixed(Type.EXACT),
    "last_opened_at": Fixed(Type.DATETIME),
    "last_clicked_at": Fixed(Type.DATETIME),
    "last_replied_at": Fixed(Type.DATETIME),
    "opens": Fixed(Type.NUMBER),
    "clicks": Fixed(Type.NUMBER),
    "replies": Fixed(Type.NUMBER),
}
