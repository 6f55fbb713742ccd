"""Unsubscribing: whom a token speaks for, and the event and stop that its use makes."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from asyncpg import Pool

from postroad_common.contracts.tokens import TrackingToken
from postroad_common.db import queries, transaction
from postroad_common.ids import pack_ref
from postroad_common.telemetry import current_traceparent
from postroad_tracker.errors import StoreUnavailableError
from postroad_tracker.events import EventType, NormalisedEvent
from postroad_tracker.ingest import Ingest
from postroad_tracker.patience import within
from postroad_tracker.stops import StopDesk
from postroad_tracker.submission import submission

_sql: Final = queries("postroad_tracker", "messages")


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Whose address a message went to, and the name of the tenant that sent it."""

    address: str
    tenant_name: str


class Unsubscribes:
    """Finds the subscriber of a token and unsubscribes."""

    def __init__(self, pool: Pool, ingest: Ingest, desk: StopDesk, *, patience: timedelta, wait: timedelta) -> None:
        self._pool = pool
        self._ingest = ingest
        self._desk = desk
        self._patience = patience
        self._wait = wait

    async def find(self, token: TrackingToken) -> Subscriber | None:
        """Who is meant, or None for a message that the ledger does not have; raises StoreUnavailableError."""
        return await within(self._patience, self._find(token))

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
        await self._ingest.store(one, within=self._patience)
        acknowledging = self._desk.acknowledge_events(token.tenant_id, [event.key], self._wait)
        return await within(self._patience + self._wait, acknowledging)

    async def _find(self, token: TrackingToken) -> Subscriber | None:
        async with transaction(self._pool, token.tenant_id) as conn:
            row = await conn.fetchrow(_sql.unsubscribe_page, token.tenant_id, token.message_id)
            if row is None and await conn.fetchrow(_sql.held) is not None:
                raise StoreUnavailableError("the database was restored and does not have the message yet")
        return Subscriber(row["recipient"], row["tenant_name"]) if row else None
