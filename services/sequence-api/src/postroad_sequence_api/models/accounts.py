"""Accounts: the companies that contacts belong to."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from postroad_sequence_api.models.base import Body, Change, Pick, View
from postroad_sequence_api.models.contacts import Attributes
from postroad_sequence_api.models.fields import Name, normal_domain, said

Domain = Annotated[
    str,
    Field(max_length=253),
    AfterValidator(normal_domain),
    said(format="idn-hostname", examples=["acme.example"]),
]
AccountName = Annotated[Name, said(examples=["Acme"])]
ExternalId = Annotated[Name, said(description="What you call the account; unique.", examples=["crm-4711"])]


class AccountNew(Body):
    """An account to add."""

    name: AccountName
    domain: Domain | None = None
    external_id: ExternalId | None = None
    attributes: Attributes = Field(default_factory=dict)


class AccountChange(Change):
    """What to change of an account; what is not named stays. attributes are replaced as a whole."""

    name: AccountName = "-"
    domain: Domain | None = None
    external_id: ExternalId | None = None
    attributes: Attributes = Field(default_factory=dict)


class AccountUpsert(Change):
    """An account to add, or to change where it is there: what is not named stays, attributes one by one.

    A new account needs a name.
    """

    name: AccountName = "-"
    domain: Domain | None = None
    attributes: Attributes = Field(default_factory=dict)


class AccountPick(Pick):
    """Which accounts to list."""

    domain: Domain | None = None
    external_id: Name | None = None


class Account(View):
    """An account. A contact of it whose own company is blank shows the account's name in mails."""

    id: UUID
    name: str
    domain: str | None
    external_id: str | None
    attributes: dict[str, str | bool | int | float | None]
    revision: int
    created_at: datetime
    updated_at: datetime


class AccountUpserted(Account):
    """An account after an upsert; created says whether it is new."""

    created: bool
