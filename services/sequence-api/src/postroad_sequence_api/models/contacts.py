"""Contacts: the people that sequences write to."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, SkipValidation

from postroad_sequence_api.filtering.tree import MAX_LENGTH
from postroad_sequence_api.models.attributes import AttributeName
from postroad_sequence_api.models.base import Body, Change, Pick, Query, View
from postroad_sequence_api.models.fields import Address, Line, Name, Text, Zone, said, without_nul

Kind = Literal["lead", "party"]
_EXACT = 2**53  # beyond it JSON's readers round
AttributeValue = (
    Text
    | bool
    | Annotated[int, Field(ge=-_EXACT, le=_EXACT)]
    | Annotated[float, Field(ge=-_EXACT, le=_EXACT, allow_inf_nan=False)]
    | None
)
MOST_ATTRIBUTES: Final = 100
Attributes = Annotated[
    dict[AttributeName, AttributeValue],
    Field(
        max_length=MOST_ATTRIBUTES,
        description="What templates may name beyond the fields.",
        examples=[{"plan": "pro"}],
    ),
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
    account_id: UUID | None = None
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
    account_id: UUID | None = None
    attributes: Attributes = Field(default_factory=dict)


class ContactUpsert(ContactChange):
    """A contact to add, or to change where it is there: what is not named stays, attributes one by one.

    A new contact needs an address.
    """


class ContactBatchItem(ContactUpsert):
    """A contact of a batch, found by external_id, else by its address."""

    external_id: ExternalId | None = None


class ContactBatch(Body):
    """Contacts to add or change, each by itself: one that is refused does not hold up the others."""

    contacts: Annotated[list[SkipValidation[ContactBatchItem]], Field(min_length=1, max_length=1000)]


Filter = Annotated[
    str,
    Field(min_length=1, max_length=MAX_LENGTH, description="Which contacts are meant: a filter (docs/filters.md)."),
    AfterValidator(without_nul),
    said(examples=["opened within 30d and not enrolled"]),
]
"""Which contacts are meant, in the language of docs/filters.md."""


ExportField = Literal[
    "contact_id",
    "email",
    "external_id",
    "first_name",
    "last_name",
    "company",
    "kind",
    "timezone",
    "account_external_id",
    "created_at",
    "updated_at",
]
_AttributeColumn = Annotated[
    str,
    Field(pattern=r"^attributes\.[^\x00]{1,100}$", description="An attribute, by its name."),
    said(examples=["attributes.plan"]),
]


class ContactExport(Body):
    """Which contacts to export, and what of them."""

    filter: Filter | None = None
    """Those whom a filter means when their turn comes; without it, all that there are now."""
    columns: Annotated[tuple[ExportField | _AttributeColumn, ...], Field(min_length=1, max_length=1000)] | None = None
    """In this order. Without it, the fields that an import takes, and all attributes."""


class ContactsErase(Body):
    """Whom to erase: up to 1,000 contacts by id."""

    contact_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=1000)]


class ContactSelection(Query):
    """Which contacts are meant: those that meet everything that is said."""

    filter: Filter | None = None
    q: Name | None = None
    """The beginning of an address, a name or a company."""
    email: Address | None = None
    external_id: Name | None = None
    account_id: UUID | None = None
    kind: Kind | None = None


class ContactPick(ContactSelection, Pick):
    """Which contacts to list."""


class ContactCount(View):
    """How many contacts are meant. exact is false when counting ended at 10,000: there are at least so many."""

    count: int
    exact: bool


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
    account_id: UUID | None
    attributes: dict[str, str | bool | int | float | None]
    revision: int
    created_at: datetime
    updated_at: datetime


class AccountOfContact(View):
    """The account that a contact belongs to."""

    id: UUID
    name: str
    domain: str | None
    external_id: str | None


class Engagement(View):
    """What a contact did, by person: opens and clicks that a provider takes for a program's do not count."""

    last_opened_at: datetime | None
    last_clicked_at: datetime | None
    last_replied_at: datetime | None
    opens: int
    clicks: int
    replies: int


class ContactDetail(Contact):
    """A contact with its account, what it did, and why its address gets nothing (empty: nothing is against it)."""

    account: AccountOfContact | None
    engagement: Engagement
    suppressed: tuple[Literal["manual", "bounced", "complained", "unsubscribed"], ...]


class ContactUpserted(Contact):
    """A contact after an upsert; created says whether it is new."""

    created: bool


class ContactBatchResult(View):
    """What became of an item: the field at fault and the reason when it was rejected."""

    result: Literal["created", "updated", "unchanged", "rejected"]
    contact_id: UUID | None = None
    field: str | None = None
    reason: str | None = None


class ContactBatchDone(View):
    """What became of each item of a batch, in its order."""

    created: int
    updated: int
    unchanged: int
    rejected: int
    results: tuple[ContactBatchResult, ...]
