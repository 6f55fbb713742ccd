"""Idempotency-Key: a POST that is sent again is done once and answered alike."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from aiohttp import web
from asyncpg import Pool

from postroad_common.db import RETRYABLE, queries, transaction
from postroad_common.sealing import KeyRing
from postroad_sequence_api.context import Desk, Work
from postroad_sequence_api.errors import InProgressError, InvalidFieldError, KeyReusedError

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
KEPT_FOR: Final = timedelta(hours=24)
"""How long an answer is kept; after that the key stands for a new request."""
_UNDER_WAY: Final = timedelta(seconds=60)
"""A request of several transactions that was not seen for so long has died."""
_SEEN_EVERY: Final = 15.0
_SQL: Final = queries("postroad_sequence_api", "idempotency")
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_PURPOSE: Final = "idempotency"
_KEPT_HEADERS: Final = ("Cache-Control", "Content-Type", "ETag", "Location")
_TENANTS: Final = 50


@dataclass(slots=True)
class Once:
    """A request that is to be done once: which key of whose, and what was asked.

    claimed_at tells its claim from that of a request that takes the key over.
    """

    tenant_id: UUID
    api_key_id: UUID
    key: str
    request_hash: bytes
    claimed_at: datetime | None = field(default=None, init=False)

    @property
    def _row(self) -> tuple[UUID, str]:
        return self.api_key_id, self.key

    @property
    def _claim(self) -> tuple[UUID, str, datetime | None]:
        return *self._row, self.claimed_at

    async def begin(self, work: Work, keyring: KeyRing) -> web.Response | None:
        """Claim the key. An answer: the request was done before, and this is what came.

        Claimed in the transaction that does all the work, the key waits for another such transaction. A request of
        several transactions claims it in one before them. Raises KeyReusedError, and InProgressError while another
        request of several transactions works on it.
        """
        self.claimed_at = await work.value(_SQL.claim_key, *self._row, self.request_hash)
        return None if self.claimed_at is not None else await self._standing(work, keyring)

    @asynccontextmanager
    async def under_way(self, desk: Desk) -> AsyncIterator[None]:
        """While the block lasts nobody takes the key over, unless this process dies. Refused or failed, it is free.

        What a request of several transactions does before its last one is safe to repeat.
        """
        seeing = asyncio.create_task(self._be_seen(desk))
        try:
            yield
        except Exception:
            async with desk.work() as work:
                await work.do(_SQL.release_key, *self._claim)
            raise
        finally:
            seeing.cancel()

    async def _be_seen(self, desk: Desk) -> None:
        while True:
            await asyncio.sleep(_SEEN_EVERY)
            with suppress(*RETRYABLE):
                async with desk.work() as work:
                    await work.do(_SQL.see_key, *self._claim)

    async def keep(self, work: Work, answer: web.Response, keyring: KeyRing) -> None:
        """Keep the answer for those who ask again. Raises InProgressError when another request has the key by now."""
        body = answer.body if isinstance(answer.body, bytes) else b""
        headers = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
        sealed = keyring.seal(_PURPOSE, body, context=self._context) if body else None
        if await work.value(_SQL.keep_answer, *self._claim, answer.status, headers, sealed) is None:
            raise InProgressError

    async def _standing(self, work: Work, keyring: KeyRing) -> web.Response | None:
        row = await work.find(_SQL.standing_key, *self._row)
        if row is None:  # released, or forgotten, between the two statements
            raise InProgressError
        if row["request_hash"] != self.request_hash:
            raise KeyReusedError
        if row["status"] is None:
            self.claimed_at = await work.value(_SQL.take_over_key, *self._row, _UNDER_WAY)
            if self.claimed_at is None:
                raise InProgressError
            return None
        sealed = row["body_sealed"]
        body = keyring.open(_PURPOSE, sealed, context=self._context) if sealed is not None else None
        return web.Response(status=row["status"], body=body, headers={**row["headers"], REPLAYED: "true"})

    @property
    def _context(self) -> bytes:
        return f"{self.tenant_id}:{self.api_key_id}:{self.key}".encode()


def key_of(request: web.Request) -> str | None:
    """The request's key, None without one. Raises InvalidFieldError."""
    key = request.headers.get(HEADER)
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidFieldError(HEADER, "must have 1 to 255 visible ASCII characters")
    return key


def hash_request(request: web.Request, body: bytes) -> bytes:
    """What two requests have alike that are the same one. A streamed body is not part of it."""
    digest = hashlib.sha256()
    for part in (request.method.encode(), request.raw_path.encode(), body):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


async def forget_old(pool: Pool) -> bool:
    """Forget what was kept long enough, some tenants at a time; whether there may be more."""
    tenants = [row["tenant_id"] for row in await pool.fetch(_SQL.tenants_with_old_keys, KEPT_FOR, _TENANTS)]
    if tenants:
        async with transaction(pool, tenants) as conn:
            await conn.execute(_SQL.forget_old_keys, tenants, KEPT_FOR)
    return bool(tenants)
