"""What a request has in hand: the process's connections, the caller's tenant, and the transaction."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID

from asyncpg import Pool, Record

from postroad_common.amqp.broker import Broker
from postroad_common.contracts import Message
from postroad_common.db import AnyConnection, transaction
from postroad_common.faults import reach
from postroad_common.outbox import enqueue
from postroad_common.problems import Problem
from postroad_common.sealing import KeyRing
from postroad_common.telemetry import current_traceparent
from postroad_sequence_api.api_key_use import UsedKeys
from postroad_sequence_api.errors import PreconditionFailedError
from postroad_sequence_api.metrics import WEBHOOKS_RECORDED
from postroad_sequence_api.rate_limits import RateLimits
from postroad_sequence_api.settings import SequenceApiSettings
from postroad_sequence_api.webhooks.events import WebhookEvent
from postroad_sequence_api.webhooks.posting import Poster
from postroad_sequence_api.webhooks.recording import record


class Turns:
    """For work that reads whole tables: one at a time in a process, and of each tenant none in waiting."""

    def __init__(self) -> None:
        self._one = asyncio.Semaphore(1)
        self._tenants: set[UUID] = set()

    @asynccontextmanager
    async def take(self, tenant_id: UUID) -> AsyncIterator[None]:
        """Wait for the turn. Raises Problem 429 while the tenant has one already."""
        if tenant_id in self._tenants:
            said = "The answer to the first request is on its way."
            raise Problem(429, "already_running", "This is running already", said, headers={"Retry-After": "5"})
        self._tenants.add(tenant_id)
        try:
            async with self._one:
                yield
        finally:
            self._tenants.discard(tenant_id)


@dataclass(frozen=True, slots=True)
class Context:
    """What the process has one of."""

    settings: SequenceApiSettings
    pool: Pool
    broker: Broker
    keyring: KeyRing
    poster: Poster
    wake_relay: Callable[[], None]
    wake_jobs: Callable[[], None]
    stopping: asyncio.Event
    limits: RateLimits
    used_keys: UsedKeys = field(default_factory=UsedKeys)
    proofs: Turns = field(default_factory=Turns)


@dataclass(slots=True)
class Work:
    """A transaction of one tenant, and the messages that leave when it commits.

    expected holds the revisions of the request's If-Match header; None: it has none.
    """

    conn: AnyConnection
    tenant_id: UUID
    expected: frozenset[int] | None = None
    actor: UUID | None = None
    """The API key that asked; None: nobody did, or an operator."""
    said: bool = field(default=False, init=False)
    queued: bool = field(default=False, init=False)
    """A job was: its runner is woken when the transaction has committed."""
    told: int = field(default=0, init=False)
    """Deliveries to webhook subscriptions."""
    matched: bool = field(default=False, init=False)

    def match(self, revision: int) -> None:
        """Refuse to change what somebody else has changed meanwhile; call it with the row locked.

        Raises PreconditionFailedError when the request has an If-Match that does not name this revision.
        """
        self.matched = True
        if self.expected is not None and revision not in self.expected:
            raise PreconditionFailedError(revision)

    async def one(self, statement: str, *arguments: object) -> Record:
        """The row of a statement that always has one. The tenant is the first argument of every statement."""
        row = await self.find(statement, *arguments)
        assert row is not None  # noqa: S101 - what `one` promises
        return row

    async def find(self, statement: str, *arguments: object) -> Record | None:
        """The first row, or None."""
        return await self.conn.fetchrow(statement, self.tenant_id, *arguments)

    async def all(self, statement: str, *arguments: object) -> list[Record]:
        """All rows."""
        return await self.conn.fetch(statement, self.tenant_id, *arguments)

    async def value(self, statement: str, *arguments: object) -> Any:
        """The first column of the first row, None without one."""
        return await self.conn.fetchval(statement, self.tenant_id, *arguments)

    async def do(self, statement: str, *arguments: object) -> None:
        """Run a statement for what it changes."""
        await self.conn.execute(statement, self.tenant_id, *arguments)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """What the block did is taken back when it raises; the transaction goes on."""
        await self.conn.execute("SAVEPOINT block")
        try:
            yield
        except BaseException:
            await self.conn.execute("ROLLBACK TO SAVEPOINT block")
            raise
        await self.conn.execute("RELEASE SAVEPOINT block")

    async def tell(self, *events: WebhookEvent) -> None:
        """Post these to who subscribes, once the transaction has committed."""
        self.told += await record(self.conn, self.tenant_id, events)

    async def say(self, *messages: Message) -> None:
        """Send these once the transaction has committed, through the outbox."""
        if messages:
            await enqueue(self.conn, "sequence", messages, traceparent=current_traceparent())
            self.said = True


View = TypeVar("View")


@dataclass(frozen=True, slots=True)
class Last(Generic[View]):
    """What is left to do of a request when all that takes long is done: one transaction, which keeps its answer too."""

    step: Callable[[Work], Awaitable[View]]


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the work of one caller's tenant is done."""

    context: Context
    tenant_id: UUID
    actor: UUID | None = None

    @asynccontextmanager
    async def work(self, expected: frozenset[int] | None = None) -> AsyncIterator[Work]:
        """A transaction that commits at the end of the block; then those are woken who have to do with what it left."""
        async with transaction(self.context.pool, self.tenant_id) as conn:
            work = Work(conn, self.tenant_id, expected, self.actor)
            yield work
        WEBHOOKS_RECORDED.inc(work.told)
        if work.said:
            if __debug__:
                reach("api.committed")
            self.context.wake_relay()
        if work.queued:
            if __debug__:
                reach("job.queued")
            self.context.wake_jobs()

    @asynccontextmanager
    async def moment(self) -> AsyncIterator[Work]:
        """A transaction that reads everything as of one moment, and changes nothing."""
        async with self.work() as work:
            await work.conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield work
