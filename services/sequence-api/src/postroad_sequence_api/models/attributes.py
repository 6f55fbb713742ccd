"""Custom attributes that have a type."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from postroad_sequence_api.attributes import AttributeType
from postroad_sequence_api.models.base import Body, Change, Pick, View
from postroad_sequence_api.models.fields import Line, Name, said, without_nul

Entity = Literal["contact", "account"]
AttributeName = Annotated[Name, Field(max_length=100), AfterValidator(without_nul), said(examples=["plan"])]
_Type = Annotated[Literal["text", "number", "boolean", "date", "datetime"], said(examples=["text"])]


class AttributeNew(Body):
    """An attribute to define. indexed: filters by it are quick however many contacts there are."""

    entity: Entity = "contact"
    name: AttributeName
    type: _Type
    description: Line = ""
    indexed: bool = False


class AttributeChange(Change):
    """What to change of an attribute; its name and type are for ever."""

    description: Line = ""
    indexed: bool = False
    archived: bool = False


class AttributePick(Pick):
    """Which attributes to list."""

    entity: Entity | None = None


class Attribute(View):
    """A custom attribute. indexing: its index is being filled, and filters do not use it yet."""

    id: UUID
    entity: Entity
    name: str
    type: Annotated[AttributeType, said(examples=["text"])]
    description: str
    indexed: bool
    indexing: bool
    archived_at: datetime | None
    revision: int
    created_at: datetime
    updated_at: datetime
