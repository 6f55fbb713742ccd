"""/v1/api-keys."""

from uuid import UUID

from postroad_sequence_api.auth import Caller
from postroad_sequence_api.context import Work
from postroad_sequence_api.models.api_keys import ApiKey, ApiKeyMade, ApiKeyNew
from postroad_sequence_api.models.base import Page, Pick
from postroad_sequence_api.services import api_keys


async def create(work: Work, caller: Caller, body: ApiKeyNew) -> ApiKeyMade:
    """Make a key; its secret is shown this once."""
    return await api_keys.create(work, caller, body)


async def list_(work: Work, query: Pick) -> Page[ApiKey]:
    """List the keys, ended ones included."""
    return await api_keys.listed(work, query)


async def get(work: Work, api_key_id: UUID) -> ApiKey:
    """Show a key without its secret."""
    return await api_keys.get(work, api_key_id)


async def revoke(work: Work, api_key_id: UUID) -> ApiKey:
    """End a key at once."""
    return await api_keys.revoke(work, api_key_id)
