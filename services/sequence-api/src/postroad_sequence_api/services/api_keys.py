"""API keys: what opens a tenant, how far, and for how long."""

from typing import Final
from uuid import UUID

from postroad_common.db import queries
from postroad_common.ids import new_id
from postroad_sequence_api.auth import Caller, hash_secret, key_text, new_secret
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import ConflictError, ForbiddenError, NotFoundError
from postroad_sequence_api.models.api_keys import ApiKey, ApiKeyMade, ApiKeyNew
from postroad_sequence_api.models.base import Page, Pick, page_of

_SQL: Final = queries("postroad_sequence_api", "api_keys")


async def create(work: Work, caller: Caller, new: ApiKeyNew) -> ApiKeyMade:
    """A key; only its hash is kept. It may do no more than the one that makes it, and no longer."""
    if caller.scopes is not None:
        beyond = sorted(scope for scope in new.scopes or ("every scope",) if not caller.may(scope))
        if beyond:
            raise ForbiddenError(f"the scopes {', '.join(sorted(caller.scopes))}", ", ".join(beyond))
    ends = caller.expires_at
    if ends is not None and (new.expires_at is None or new.expires_at > ends):
        raise ForbiddenError(f"an end at {ends.isoformat()}", "one that ends later, or never")
    return await insert(work, new)


async def insert(work: Work, new: ApiKeyNew) -> ApiKeyMade:
    """A key, whoever makes it."""
    api_key_id, secret = new_id(), new_secret()
    scopes = None if new.scopes is None else sorted(set(new.scopes))
    row = await work.one(
        _SQL.insert_api_key, api_key_id, new.name, new.role, hash_secret(secret), scopes, new.expires_at
    )
    return ApiKeyMade.of(row, key=key_text(work.tenant_id, api_key_id, secret))


async def listed(work: Work, pick: Pick) -> Page[ApiKey]:
    """The tenant's keys, ended ones included."""
    rows = await work.all(_SQL.list_api_keys, pick.after, pick.limit + 1)
    return page_of((ApiKey.of(row) for row in rows), pick.limit)


async def get(work: Work, api_key_id: UUID) -> ApiKey:
    """A key without its secret."""
    row = await work.find(_SQL.api_key, api_key_id)
    if row is None:
        raise NotFoundError("API key")
    return ApiKey.of(row)


async def revoke(work: Work, api_key_id: UUID) -> ApiKey:
    """End a key at once. The last full owner stays: without one nobody could make keys."""
    owners = [row["api_key_id"] for row in await work.all(_SQL.lock_owner_keys)]
    if owners == [api_key_id]:
        raise ConflictError("last_owner", "This is the tenant's only key that can make others; make another one first.")
    revoked = await work.find(_SQL.revoke_api_key, api_key_id)
    return ApiKey.of(revoked) if revoked is not None else await get(work, api_key_id)
