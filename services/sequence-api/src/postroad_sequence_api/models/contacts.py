"""Contacts: the people that sequences write to."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from postroad_sequence_api.models.base import Body, Change, Pick, View
from postroad_sequence_api.models.fields import Address, Line, Name, Text, Zone, said, without_nul

Kind = Literal["lead", "party"]
AttributeName = Annotated[Name, Field(max_length=100), AfterValidator(without_nul)]
_EXACT = 2**53  # beyond it JSON's readers round
AttributeValue = (
    Text
    | bool
    | Annotated[int, Field(ge=-_EXACT, le=_EXACT)]
    | Annotated[float, Field(ge=-_EXACT, le=_EXACT, allow_inf_nan=False)]
    | None
)
Attributes = Annotated[
    dict[AttributeName, AttributeValue],
    Field(max_length=100, description="What templates may name beyond the fields.", examples=[{"plan": "pro"}]),
]
"""What templates may name beyond the fixed fields: at most 100 names with plain values."""


ExternalId = Annotated[Name, said(description="What you call the contact; unique.", examples=["crm-4711"])]
FirstName = Annotated[Line, said(examples=["Ada"])]
LastName = Annotated[Line, said(examples=["Lovelace"])]
Company = Annotated[Line, said(examples=["Analytical Engines"])]


class ContactNew(Body):
    """A contact to add."""

    email: Address
    external_id: ExternalId | None = None
    first_name: FirstName = ""
    last_name: LastName = ""
    company: Company = ""
    kind: Kind = "lead"
    timezone: Zone | None = None
    """On whose clock steps come due; null: the tenant's."""
    attributes: Attributes = Field(default_factory=dict)


class ContactChange(Change):
    """What to change of a contact; what is not named stays. attributes are replaced as a whole."""

    email: Address = ""
    external_id: ExternalId | None = None
    first_name: FirstName = ""
    last_name: LastName = ""
    company: Company = ""
    kind: Kind = "lead"
    timezone: Zone | None = None
    """On whose clock steps come due; null: the tenant's."""
    attributes: Attributes = Field(default_factory=dict)


class ContactPick(Pick):
    """Which contacts to list."""

    email: Address | None = None


class Contact(View):
    """A contact."""

    id: UUID
    email: str
    external_id: str | None
    first_name: str
    last_name: str
    company: str
    kind: Kind
    timezone: str | None
    attributes: dict[str, str | bool | int | float | None]
    revision: int
    created_at: datetime
    updated_at: datetime
