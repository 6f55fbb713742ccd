"""Tenants, and the keys that open them."""

from typing import Final
from uuid import UUID

from postroad_common.db import queries
from postroad_common.ids import new_id
from postroad_sequence_api.auth import Caller, hash_secret, key_text, new_secret
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import ConflictError, NotFoundError
from postroad_sequence_api.models.base import Page, Pick, page_of
from postroad_sequence_api.models.tenants import ApiKey, ApiKeyMade, ApiKeyNew, Me, Tenant, TenantMade, TenantNew

_TENANTS: Final = queries("postroad_sequence_api", "tenants")
_KEYS: Final = queries("postroad_sequence_api", "api_keys")


async def create(work: Work, new: TenantNew) -> TenantMade:
    """A tenant and its first key, which owns it."""
    row = await work.one(_TENANTS.insert_tenant, new.name, new.timezone, new.postal_address)
    key = await create_key(work, ApiKeyNew(name="first key", role="owner"))
    return TenantMade(tenant=Tenant.of(row), api_key=key)


async def me(work: Work, caller: Caller) -> Me:
    """Who the caller is."""
    tenant = await work.one(_TENANTS.tenant)
    key = await work.one(_KEYS.api_key, caller.api_key_id)
    return Me(tenant=Tenant.of(tenant), api_key=ApiKey.of(key))


async def create_key(work: Work, new: ApiKeyNew) -> ApiKeyMade:
    """A key; only its hash is kept."""
    api_key_id, secret = new_id(), new_secret()
    row = await work.one(_KEYS.insert_api_key, api_key_id, new.name, new.role, hash_secret(secret))
    return ApiKeyMade.of(row, key=key_text(work.tenant_id, api_key_id, secret))


async def list_keys(work: Work, pick: Pick) -> Page[ApiKey]:
    """The tenant's keys, revoked ones included."""
    rows = await work.all(_KEYS.list_api_keys, pick.after, pick.limit + 1)
    return page_of((ApiKey.of(row) for row in rows), pick.limit)


async def revoke_key(work: Work, api_key_id: UUID) -> ApiKey:
    """End a key at once. The last owner stays: without one nobody could make keys."""
    owners = [row["api_key_id"] for row in await work.all(_KEYS.lock_owner_keys)]
    if owners == [api_key_id]:
        raise ConflictError("last_owner", "This is the tenant's only key that can make others; make another one first.")
    revoked = await work.find(_KEYS.revoke_api_key, api_key_id)
    row = revoked or await work.find(_KEYS.api_key, api_key_id)
    if row is None:
        raise NotFoundError("API key")
    return ApiKey.of(row)
