"""Tenants and their API keys."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from postroad_sequence_api.models.base import Body, View
from postroad_sequence_api.models.fields import Line, Name, Zone

Role = Literal["owner", "editor", "viewer"]


class TenantNew(Body):
    """A tenant to add. timezone is for contacts without one; postal_address stands in every mail's footer."""

    name: Name
    timezone: Zone = "UTC"
    postal_address: Line = ""


class Tenant(View):
    """A tenant."""

    id: UUID
    name: str
    timezone: str
    postal_address: str
    created_at: datetime


class ApiKeyNew(Body):
    """An API key to make."""

    name: Name
    role: Role


class ApiKey(View):
    """An API key without its secret."""

    id: UUID
    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None


class ApiKeyMade(ApiKey):
    """An API key, its secret shown this once."""

    key: str


class TenantMade(View):
    """A tenant and its first key."""

    tenant: Tenant
    api_key: ApiKeyMade


class Me(View):
    """Who the key in use belongs to."""

    tenant: Tenant
    api_key: ApiKey
