"""Messages as they went over the wire, kept for some days."""

import zlib
from datetime import timedelta
from typing import Final

from asyncpg import Pool

from postroad_common.db import queries, transaction

_SQL: Final = queries("postroad_sender", "sources")
_TENANTS_AT_ONCE: Final = 50
_EACH_AT_ONCE: Final = 500
_WINDOW_BITS: Final = 13
_MEMORY: Final = 5
"""A window of 8 KiB, which most mails fit into: to set up the usual one takes longer than to compress a mail."""


def compressed(content: bytes) -> bytes:
    """As zlib.decompress() takes it (RFC 1950)."""
    deflating = zlib.compressobj(1, zlib.DEFLATED, _WINDOW_BITS, _MEMORY)
    return deflating.compress(content) + deflating.flush()


async def forget_old_sources(pool: Pool, *, keep: timedelta) -> bool:
    """Delete some of the sources that are older than they are kept; true when there may be more."""
    tenants = [row["tenant_id"] for row in await pool.fetch(_SQL.tenants_with_old, keep, _TENANTS_AT_ONCE)]
    if tenants:
        async with transaction(pool, tenants) as conn:
            await conn.execute(_SQL.forget, tenants, keep, _EACH_AT_ONCE)
    return bool(tenants)
