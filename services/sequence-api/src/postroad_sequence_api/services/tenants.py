"""Tenants."""

from typing import Final

from postroad_common.db import queries
from postroad_sequence_api.auth import Caller
from postroad_sequence_api.context import Work
from postroad_sequence_api.models.api_keys import ApiKeyNew
from postroad_sequence_api.models.tenants import Me, Tenant, TenantChange, TenantMade, TenantNew
from postroad_sequence_api.services import api_keys

_SQL: Final = queries("postroad_sequence_api", "tenants")
_COLUMNS: Final = ("name", "timezone", "postal_address")


async def create(work: Work, new: TenantNew) -> TenantMade:
    """A tenant and its first key, which owns it."""
    row = await work.one(_SQL.insert_tenant, new.name, new.timezone, new.postal_address)
    key = await api_keys.insert(work, ApiKeyNew(name="first key", role="owner"))
    return TenantMade(tenant=Tenant.of(row), api_key=key)


async def me(work: Work, caller: Caller) -> Me:
    """Who the caller is."""
    return Me(tenant=await get(work), api_key=await api_keys.get(work, caller.api_key_id))


async def get(work: Work) -> Tenant:
    """The tenant."""
    return Tenant.of(await work.one(_SQL.tenant))


async def change(work: Work, wanted: TenantChange) -> Tenant:
    """Change what is named, keep the rest."""
    standing = await work.one(_SQL.lock_tenant)
    work.match(standing["revision"])
    values = {**standing, **wanted.model_dump(exclude_unset=True)}
    return Tenant.of(await work.one(_SQL.update_tenant, *(values[c] for c in _COLUMNS)))
