"""/v1/tenants, /v1/me and /v1/api-keys."""

from aiohttp import web

from postroad_common.ids import new_id
from postroad_sequence_api.context import Desk
from postroad_sequence_api.http import (
    answer,
    caller_of,
    context_of,
    desk_of,
    path_id,
    read_body,
    read_query,
)
from postroad_sequence_api.models.base import Pick
from postroad_sequence_api.models.tenants import ApiKeyNew, TenantNew
from postroad_sequence_api.services import tenants


async def create(request: web.Request) -> web.Response:
    """Make a tenant and its first key."""
    new = await read_body(request, TenantNew)
    async with Desk(context_of(request), new_id()).work() as work:
        return answer(await tenants.create(work, new), 201)


async def me(request: web.Request) -> web.Response:
    """Say whose key this is."""
    async with desk_of(request).work() as work:
        return answer(await tenants.me(work, caller_of(request)))


async def create_key(request: web.Request) -> web.Response:
    """Make a key."""
    new = await read_body(request, ApiKeyNew)
    async with desk_of(request).work() as work:
        return answer(await tenants.create_key(work, new), 201)


async def list_keys(request: web.Request) -> web.Response:
    """List the keys."""
    pick = read_query(request, Pick)
    async with desk_of(request).work() as work:
        return answer(await tenants.list_keys(work, pick))


async def revoke_key(request: web.Request) -> web.Response:
    """End a key."""
    api_key_id = path_id(request, "API key")
    async with desk_of(request).work() as work:
        return answer(await tenants.revoke_key(work, api_key_id))
