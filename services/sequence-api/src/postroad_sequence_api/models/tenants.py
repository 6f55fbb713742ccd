"""Tenants."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from postroad_sequence_api.models.api_keys import ApiKey, ApiKeyMade
from postroad_sequence_api.models.base import Body, Change, View
from postroad_sequence_api.models.fields import Line, Name, Zone, said

TenantName = Annotated[Name, said(examples=["Analytical Engines"])]
PostalAddress = Annotated[
    Line, said(description="Stands in every mail's footer.", examples=["12 St James's Square, London"])
]


class TenantNew(Body):
    """A tenant to add. timezone is for contacts without one; postal_address stands in every mail's footer."""

    name: TenantName
    timezone: Zone = "UTC"
    """For contacts without one."""
    postal_address: PostalAddress = ""


class Tenant(View):
    """A tenant."""

    id: UUID
    name: str
    timezone: str
    postal_address: str
    revision: int
    created_at: datetime


class TenantChange(Change):
    """What to change of a tenant; what is not named stays."""

    name: TenantName = ""
    timezone: Zone = "UTC"
    """For contacts without one."""
    postal_address: PostalAddress = ""


class TenantMade(View):
    """A tenant and its first key."""

    tenant: Tenant
    api_key: ApiKeyMade


class Me(View):
    """Who the key in use belongs to."""

    tenant: Tenant
    api_key: ApiKey
