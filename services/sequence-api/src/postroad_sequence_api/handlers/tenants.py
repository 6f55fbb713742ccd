"""/v1/tenants, /v1/tenant and /v1/me."""

from postroad_sequence_api.auth import Caller
from postroad_sequence_api.context import Work
from postroad_sequence_api.models.tenants import Me, Tenant, TenantChange, TenantMade, TenantNew
from postroad_sequence_api.services import tenants


async def create(work: Work, body: TenantNew) -> TenantMade:
    """Make a tenant and its first key."""
    return await tenants.create(work, body)


async def me(work: Work, caller: Caller) -> Me:
    """Say whose key this is."""
    return await tenants.me(work, caller)


async def get(work: Work) -> Tenant:
    """Show the tenant of the key."""
    return await tenants.get(work)


async def change(work: Work, body: TenantChange) -> Tenant:
    """Change the tenant of the key."""
    return await tenants.change(work, body)
