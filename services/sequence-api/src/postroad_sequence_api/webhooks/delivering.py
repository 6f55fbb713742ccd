"""The loop that posts what is due, and what becomes of each delivery.

A delivery is claimed under a lease with a fence (its attempt's number), posted outside of any transaction, and settled.
A process that dies in between leaves a lease that ends: the delivery is posted again, at least once in all.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self, TypeVar
from uuid import UUID

import structlog
from asyncpg import Pool, Record

from postroad_common.db import AnyConnection, queries, transaction
from postroad_common.faults import reach
from postroad_common.ids import new_id
from postroad_common.loops import is_outage
from postroad_common.sealing import KeyRing
from postroad_sequence_api.metrics import (
    WEBHOOK_ATTEMPTS,
    WEBHOOK_LAG,
    WEBHOOK_SECONDS,
    WEBHOOKS_DISABLED,
    WEBHOOKS_IN_HAND,
)
from postroad_sequence_api.webhooks import happenings
from postroad_sequence_api.webhooks.posting import Answer, Poster
from postroad_sequence_api.webhooks.recording import record
from postroad_sequence_api.webhooks.schedule import SERIES_ENDS_AFTER, asked_wait, pause_after
from postroad_sequence_api.webhooks.signed_posts import Target, post_signed

_SQL: Final = queries("postroad_sequence_api", "webhook_deliveries")
_log = structlog.get_logger()

T = TypeVar("T")

GONE: Final = 410
_TENANTS_PER_CLAIM: Final = 50
_FIRST: Final = UUID(int=0)
_SETTLING: Final = 3
"""Settling transactions at once: the API's requests share the pool."""
_SETTLE_PAUSE_SECONDS: Final = 0.5
_FORGET_AT_ONCE: Final = 5000


@dataclass(frozen=True, slots=True)
class Terms:
    """How many posts at once, in all and of one subscription; how long a claim holds; when failing is for long."""

    workers: int
    per_subscription: int
    lease: timedelta
    disable_after: timedelta

    @property
    def reserve(self) -> int:
        """Posts that are kept free of subscriptions which fail, and of tenants who have as many in flight already."""
        return self.workers // 4


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that is ours until its lease ends."""

    target: Target
    delivery_id: UUID
    event_id: UUID
    body: bytes
    attempt: int
    failures: int
    claimed_at: datetime
    give_up_at: float
    """When the lease ends, on this process's monotonic clock."""


class Deliveries:
    """Posts due deliveries of all tenants in turn, starting after the one served last."""

    def __init__(self, pool: Pool, keyring: KeyRing, poster: Poster, terms: Terms) -> None:
        self._pool = pool
        self._keyring = keyring
        self._poster = poster
        self._terms = terms
        self._last = _FIRST
        self._posting: set[asyncio.Task[None]] = set()
        self._settling = asyncio.Semaphore(_SETTLING)
        self.woken = asyncio.Event()
        """Set when there is room for more."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Wait for what is being posted: each post is bounded in time."""
        if self._posting:
            await asyncio.wait(self._posting)

    async def __call__(self) -> bool:
        """Begin to post what is due, as far as there is room; true when there may be more at once."""
        room = self._terms.workers - len(self._posting)
        if room <= 0:
            return False
        tenants = await self._tenants()
        if not tenants:
            return False
        claims = await self._claim(tenants, room)
        if __debug__ and claims:
            reach("webhooks.claimed")
        for claim in claims:
            task = asyncio.create_task(self._deliver(claim))
            self._posting.add(task)
            task.add_done_callback(self._end)
        WEBHOOKS_IN_HAND.set(len(self._posting))
        return bool(claims)

    async def _tenants(self) -> list[UUID]:
        tenants = await self._tenants_after(self._last)
        if len(tenants) < _TENANTS_PER_CLAIM and self._last != _FIRST:
            tenants += [tenant for tenant in await self._tenants_after(_FIRST) if tenant <= self._last]
        tenants = tenants[:_TENANTS_PER_CLAIM]
        self._last = tenants[-1] if tenants else _FIRST
        return tenants

    async def _tenants_after(self, last: UUID) -> list[UUID]:
        return [row["tenant_id"] for row in await self._pool.fetch(_SQL.tenants_due, last, _TENANTS_PER_CLAIM)]

    async def _claim(self, tenants: list[UUID], room: int) -> list[Claim]:
        terms, began = self._terms, time.monotonic()
        async with transaction(self._pool, tenants) as conn:
            rows = await conn.fetch(_SQL.claim, tenants, room, terms.per_subscription, terms.lease, terms.reserve)
        for row in rows:
            if not row["failing"]:
                WEBHOOK_LAG.observe(row["lag"].total_seconds())
        return [_claim_of(row, began + terms.lease.total_seconds()) for row in rows]

    def _end(self, task: asyncio.Task[None]) -> None:
        self._posting.discard(task)
        WEBHOOKS_IN_HAND.set(len(self._posting))
        self.woken.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a delivery was left to its lease", exc_info=error)

    async def _deliver(self, claim: Claim) -> None:
        answer = await post_signed(self._poster, self._keyring, claim.target, claim.event_id, claim.body)
        WEBHOOK_SECONDS.observe(answer.seconds)
        if __debug__:
            reach("webhooks.answered")
        outcome = await self._until_lease_ends(claim, lambda: self._settle(claim, answer))
        WEBHOOK_ATTEMPTS.labels(outcome).inc()

    async def _until_lease_ends(self, claim: Claim, settle: Callable[[], Awaitable[T]]) -> T:
        """Settle; while the database is away again and again, until the delivery is somebody else's."""
        while True:
            try:
                async with self._settling:
                    return await settle()
            except Exception as error:
                if not is_outage(error) or time.monotonic() + _SETTLE_PAUSE_SECONDS >= claim.give_up_at:
                    raise
            await asyncio.sleep(_SETTLE_PAUSE_SECONDS)

    async def _settle(self, claim: Claim, answer: Answer) -> str:
        async with transaction(self._pool, claim.target.tenant_id) as conn:
            key = (claim.target.tenant_id, claim.delivery_id)
            if answer.error is None:
                await conn.execute(_SQL.deliver, *key)
                outcome = "delivered"
            else:
                pause = pause_after(claim.failures + 1, random.random, answer.retry_after)
                mine = await conn.fetchval(_SQL.put_off, *key, claim.attempt, pause) is not None
                if mine:
                    await self._note_failure(conn, claim, answer)
                outcome = "dead" if mine and pause is None else "failed"
            await self._note_attempt(conn, claim, answer)
        return outcome

    async def _note_attempt(self, conn: AnyConnection, claim: Claim, answer: Answer) -> None:
        await conn.execute(
            _SQL.note_attempt,
            claim.target.tenant_id,
            claim.delivery_id,
            claim.attempt,
            claim.claimed_at,
            round(answer.seconds * 1000),
            answer.status,
            answer.error,
            answer.response,
        )

    async def _note_failure(self, conn: AnyConnection, claim: Claim, answer: Answer) -> None:
        """The subscription fails; for too long, or gone by its own word, it is disabled and the others are told."""
        for_long = await conn.fetchval(
            _SQL.note_failure,
            claim.target.tenant_id,
            claim.target.subscription_id,
            asked_wait(answer.retry_after),
            SERIES_ENDS_AFTER,
            self._terms.disable_after,
        )
        if answer.status == GONE:
            await _disable(conn, claim.target, "gone")
        elif for_long:
            await _disable(conn, claim.target, "failing")


async def _disable(conn: AnyConnection, target: Target, reason: str) -> None:
    row = await conn.fetchrow(_SQL.disable, target.tenant_id, target.subscription_id, reason)
    if row is None:
        return
    WEBHOOKS_DISABLED.labels(reason).inc()
    _log.warning(
        "a webhook subscription is disabled",
        tenant=target.tenant_id,
        subscription=target.subscription_id,
        reason=reason,
    )
    data = {"subscription_id": target.subscription_id, "url": row["url"], "reason": reason}
    notice = happenings.event("webhook.disabled", new_id(), row["disabled_at"], target.tenant_id, data)
    await record(conn, target.tenant_id, [notice])


async def forget_old_deliveries(pool: Pool, *, keep: timedelta) -> bool:
    """Delete deliveries that are older than they are kept; true when there may be more."""
    rows = await pool.fetch(_SQL.tenants_with_old, keep, _TENANTS_PER_CLAIM)
    tenants = [row["tenant_id"] for row in rows]
    if tenants:
        async with transaction(pool, tenants) as conn:
            await conn.execute(_SQL.forget, tenants, keep, _FORGET_AT_ONCE)
    return bool(tenants)


def _claim_of(row: Record, give_up_at: float) -> Claim:
    return Claim(
        target=Target(
            row["tenant_id"],
            row["subscription_id"],
            row["url"],
            (row["secret_sealed"], row["previous_secret_sealed"]),
        ),
        delivery_id=row["delivery_id"],
        event_id=row["event_id"],
        body=row["body"],
        attempt=row["attempt"],
        failures=row["failures"],
        claimed_at=row["claimed_at"],
        give_up_at=give_up_at,
    )
