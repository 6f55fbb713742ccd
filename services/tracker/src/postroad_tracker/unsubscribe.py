"""Unsubscribing: whom a token speaks for, and the event and stop that its use makes."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from asyncpg import Pool

from postroad_common.contracts.tokens import TrackingToken
from postroad_common.db import RETRYABLE, queries, transaction
from postroad_common.ids import pack_ref
from postroad_common.telemetry import current_traceparent
from postroad_tracker.errors import StoreUnavailableError
from postroad_tracker.events import EventType, NormalisedEvent
from postroad_tracker.ingest import Ingest, submission
from postroad_tracker.stops import StopDesk

_sql: Final = queries("postroad_tracker", "messages")


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Whose address a message went to, and the name of the tenant that sent it."""

    address: str
    tenant_name: str


class Unsubscribes:
    """Finds the subscriber of a token and unsubscribes."""

    def __init__(self, pool: Pool, ingest: Ingest, desk: StopDesk, *, within: timedelta, wait: timedelta) -> None:
        self._pool = pool
        self._ingest = ingest
        self._desk = desk
        self._within = within
        self._wait = wait

    async def find(self, token: TrackingToken) -> Subscriber | None:
        """Who is meant, or None for a message that the ledger does not have; raises StoreUnavailableError."""
        try:
            async with transaction(self._pool, token.tenant_id) as conn:
                row = await conn.fetchrow(_sql.unsubscribe_page, token.tenant_id, token.message_id)
        except RETRYABLE as error:
            raise StoreUnavailableError(repr(error)) from error
        return Subscriber(row["recipient"], row["tenant_name"]) if row else None

    async def act(self, token: TrackingToken, *, ip: str | None, user_agent: str | None) -> tuple[UUID, ...]:
        """Store the unsubscribe and wait for the wire; returns the messages still on it.

        Safe to repeat: a message's token unsubscribes once. Raises StoreUnavailableError.
        """
        event = NormalisedEvent(
            key=f"unsubscribe:{token.message_id}",
            type=EventType.UNSUBSCRIBED,
            occurred_at=None,
            message_ref=pack_ref(token.tenant_id, token.message_id),
            ip=ip,
            user_agent=user_agent,
        )
        one = submission(token.tenant_id, "unsubscribe", [event], traceparent=current_traceparent())
        await self._ingest.store(one, within=self._within)
        try:
            return await self._desk.acknowledge_events(token.tenant_id, [event.key], self._wait)
        except RETRYABLE as error:
            raise StoreUnavailableError(repr(error)) from error
