"""When API keys were last used: remembered here, written once in a while, so that reading does not write."""

from collections import defaultdict
from typing import Final
from uuid import UUID

from asyncpg import Pool

from postroad_common.db import queries, transaction

_SQL: Final = queries("postroad_sequence_api", "api_keys")


class UsedKeys:
    """The keys that were used since the last look. What a killed process remembered is lost: a minute at most."""

    def __init__(self) -> None:
        self._keys: defaultdict[UUID, set[UUID]] = defaultdict(set)

    def note(self, tenant_id: UUID, api_key_id: UUID) -> None:
        """A key was used."""
        self._keys[tenant_id].add(api_key_id)

    async def write(self, pool: Pool) -> bool:
        """Write down the use of one tenant's keys; whether there is more to write."""
        if not self._keys:
            return False
        tenant_id, api_key_ids = self._keys.popitem()
        async with transaction(pool, tenant_id) as conn:
            await conn.execute(_SQL.touch_api_keys, tenant_id, list(api_key_ids))
        return bool(self._keys)
