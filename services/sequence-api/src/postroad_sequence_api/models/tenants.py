"""Tenants."""

from datetime import datetime
from uuid import UUID

from postroad_sequence_api.models.api_keys import ApiKey, ApiKeyMade
from postroad_sequence_api.models.base import Body, View
from postroad_sequence_api.models.fields import Line, Name, Zone


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
    revision: int
    created_at: datetime


class TenantChange(Body):
    """What to change of a tenant; what is not named stays."""

    name: Name = ""
    timezone: Zone = "UTC"
    postal_address: Line = ""


class TenantMade(View):
    """A tenant and its first key."""

    tenant: Tenant
    api_key: ApiKeyMade


class Me(View):
    """Who the key in use belongs to."""

    tenant: Tenant
    api_key: ApiKey
