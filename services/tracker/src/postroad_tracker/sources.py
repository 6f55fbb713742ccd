"""Webhook sources: which ESP posts to a URL, and the secrets it proves itself with."""

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import orjson
import structlog
from asyncpg import Pool

from postroad_common.db import queries, transaction
from postroad_common.errors import SealError
from postroad_common.sealing import KeyRing
from postroad_tracker.clock import DatabaseClock
from postroad_tracker.esp.model import Secrets

_sql: Final = queries("postroad_tracker", "sources")
_log = structlog.get_logger()
_REMEMBERED: Final = 10_000

PURPOSE: Final = "webhook-source"
"""What the secrets of a source are sealed for; the context is its id."""


@dataclass(frozen=True, slots=True)
class Source:
    """An inbound endpoint of a tenant."""

    tenant_id: UUID
    source_id: UUID
    esp: str
    secrets: Secrets = field(repr=False)


class Sources:
    """Looks sources up under their tenant and remembers the answer, also a no, for a few seconds."""

    def __init__(self, pool: Pool, keyring: KeyRing, clock: DatabaseClock, *, cache_seconds: float) -> None:
        self._pool = pool
        self._keyring = keyring
        self._clock = clock
        self._cache_seconds = cache_seconds
        self._known: OrderedDict[tuple[UUID, UUID], tuple[float, Source | None]] = OrderedDict()

    async def find(self, tenant_id: UUID, source_id: UUID) -> Source | None:
        """The source, or None; raises what the database raises."""
        key = (tenant_id, source_id)
        until, source = self._known.get(key, (0.0, None))
        if time.monotonic() < until:
            return source
        source = await self._look_up(tenant_id, source_id)
        self._known[key] = (time.monotonic() + self._cache_seconds, source)
        self._known.move_to_end(key)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return source

    async def _look_up(self, tenant_id: UUID, source_id: UUID) -> Source | None:
        async with transaction(self._pool, tenant_id) as conn:
            row = await conn.fetchrow(_sql.find, tenant_id, source_id)
        if row is not None:
            self._clock.observe(row["now"])
        if row is None or row["esp"] is None:
            return None
        return Source(tenant_id, source_id, row["esp"], self._open(source_id, row["secrets_sealed"]))

    def _open(self, source_id: UUID, sealed: bytes) -> Secrets:
        """No secrets, so that nobody can prove anything, when they cannot be opened."""
        try:
            document = orjson.loads(self._keyring.open(PURPOSE, sealed, context=source_id.bytes))
        except (SealError, ValueError) as error:
            _log.error("the secrets of a webhook source cannot be opened", source_id=str(source_id), error=repr(error))
            return {}
        return read_secrets(document)


def read_secrets(document: Any) -> Secrets:
    """Secrets by kind as lists of texts; credentials become "user:password". What is neither is passed over."""
    if not isinstance(document, dict):
        return {}
    return {
        str(kind): tuple(text for value in values if (text := _as_text(value)) is not None)
        for kind, values in document.items()
        if isinstance(values, list)
    }


def _as_text(value: Any) -> str | None:
    match value:
        case str():
            return value
        case {"username": str() as username, "password": str() as password}:
            return f"{username}:{password}"
        case _:
            return None
