"""Tenants, sequences and enrollments as sequence-api writes them; the senders' ends of the queues; a clock to set."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

import asyncpg

from postroad_common.amqp import Broker, Consumer, Delivery, declare_topology
from postroad_common.amqp.topology import SENDER_DUE
from postroad_common.contracts import Outcome, StepDue, StepsDueV1, StepSettled, StepsSettledV1
from postroad_common.ids import new_id
from postroad_engine.facts import Policy
from postroad_scheduler.context import Context
from postroad_scheduler.definitions import Definitions
from postroad_scheduler.deliberation import Rules
from postroad_scheduler.settling import settle
from postroad_scheduler.taking_up import take_up
from postroad_scheduler.tick import Pace, Tick
from postroad_scheduler.values import Claimed, Key

LEASE = timedelta(seconds=30)
TIME_TO_ANSWER = timedelta(minutes=10)
MAX_EMISSIONS = 3
RULES = Rules(Policy(look_again=timedelta(minutes=15)), MAX_EMISSIONS, TIME_TO_ANSWER)
PACE = Pace(claim_size=1000, claim_per_tenant=500, in_flight_per_tenant=5000, lease=LEASE)


@dataclass(frozen=True)
class Course:
    """An active sequence of a tenant, by its ids."""

    tenant_id: UUID
    sequence_id: UUID
    sender_id: UUID


@dataclass
class Depot:
    """Rows as others write them, and the scheduler's parts to run over them."""

    admin: asyncpg.Connection
    pool: asyncpg.Pool
    start: datetime = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)  # a Monday

    @cached_property
    def context(self) -> Context:
        """What one replica works with."""
        return Context(self.pool, RULES, Definitions())

    def tick(self, broker: Broker, pace: Pace = PACE) -> Tick:
        """The tick of one replica."""
        return Tick(self.context, broker, pace)

    # --- the clock

    async def set_clock(self, now: datetime) -> None:
        """The database's clock stands still at this instant."""
        await self.admin.execute(
            "CREATE OR REPLACE FUNCTION postroad.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS"
            f" $$ SELECT '{now.isoformat()}'::timestamptz $$"
        )

    async def travel(self, span: timedelta) -> datetime:
        """The clock goes on by this much; the new time."""
        now: datetime = await self.admin.fetchval("SELECT postroad.now()")
        await self.set_clock(now + span)
        return now + span

    # --- what sequence-api writes

    async def tenant(self, *, timezone: str = "UTC", tenant_id: UUID | None = None) -> UUID:
        """A tenant with a template and a sender of the same id."""
        id_ = tenant_id or new_id()
        await self.admin.execute(
            "INSERT INTO sequence.tenants (tenant_id, name, timezone) VALUES ($1, 'Łódź & Co', $2)", id_, timezone
        )
        await self.admin.execute(
            "INSERT INTO sequence.senders (tenant_id, sender_id, name, from_email, host, port)"
            " VALUES ($1, $1, 'main', 'hello@post.example', '127.0.0.1', 25)",
            id_,
        )
        await self.admin.execute(
            "INSERT INTO sequence.templates (tenant_id, template_id, name) VALUES ($1, $1, 'one')", id_
        )
        await self.admin.execute(
            "INSERT INTO sequence.template_versions (tenant_id, template_id, version, subject, html, text)"
            " VALUES ($1, $1, 1, 's', 'h', 't')",
            id_,
        )
        return id_

    async def sequence(self, tenant_id: UUID, *delays: timedelta, preferred_time: str | None = None) -> Course:
        """An active sequence with a step per delay: step-1, step-2 and on."""
        sequence_id = new_id()
        async with self.admin.transaction():
            await self.admin.execute(
                "INSERT INTO sequence.sequences (tenant_id, sequence_id, name, state, active_version)"
                " VALUES ($1, $2, $2::uuid::text, 'active', 1)",
                tenant_id,
                sequence_id,
            )
            await self.admin.execute(
                "INSERT INTO sequence.sequence_versions (tenant_id, sequence_id, version, sender_id)"
                " VALUES ($1, $2, 1, $1)",
                tenant_id,
                sequence_id,
            )
            await self.admin.execute(
                "INSERT INTO sequence.steps (tenant_id, sequence_id, version, number, step_key, kind, delay_seconds,"
                " preferred_time, template_id, template_version)"
                " SELECT $1, $2, 1, n, 'step-' || n, 'email', seconds, $4::text::time, $1, 1"
                " FROM unnest($3::bigint[]) WITH ORDINALITY AS t (seconds, n)",
                tenant_id,
                sequence_id,
                [int(delay.total_seconds()) for delay in delays],
                preferred_time,
            )
            await self.admin.execute(
                "UPDATE sequence.sequence_versions SET activated_at = postroad.now() WHERE sequence_id = $1",
                sequence_id,
            )
        return Course(tenant_id, sequence_id, tenant_id)

    async def contacts(self, tenant_id: UUID, count: int = 1, *, timezone: str | None = None) -> list[UUID]:
        """New contacts of a tenant."""
        ids = [new_id() for _ in range(count)]
        await self.admin.execute(
            "INSERT INTO sequence.contacts (tenant_id, contact_id, email, timezone)"
            " SELECT $1, id, id::text || '@recipient.example', $3 FROM unnest($2::uuid[]) AS t (id)",
            tenant_id,
            ids,
            timezone,
        )
        return ids

    async def enroll(
        self,
        sequence: Course,
        contacts: Sequence[UUID],
        *,
        intent: str = "run",
        traceparent: str | None = None,
    ) -> list[UUID]:
        """Enrollments with their slots; nobody has taken them up."""
        ids = [new_id() for _ in contacts]
        await self.admin.execute(
            "INSERT INTO sequence.enrollments"
            " (tenant_id, enrollment_id, sequence_id, version, contact_id, intent, traceparent)"
            " SELECT $1, e, $2, 1, c, $5, $6 FROM unnest($3::uuid[], $4::uuid[]) AS t (e, c)",
            sequence.tenant_id,
            sequence.sequence_id,
            ids,
            list(contacts),
            intent,
            traceparent,
        )
        await self.admin.execute(
            "INSERT INTO sequence.active_slots (tenant_id, contact_id, scope, enrollment_id)"
            " SELECT $1, c, 'sequence:' || $2::uuid::text, e FROM unnest($3::uuid[], $4::uuid[]) AS t (e, c)",
            sequence.tenant_id,
            sequence.sequence_id,
            ids,
            list(contacts),
        )
        return ids

    async def running(self, sequence: Course, count: int = 1, **options: Any) -> list[UUID]:
        """New contacts, enrolled and taken up."""
        ids = await self.enroll(sequence, await self.contacts(sequence.tenant_id, count), **options)
        await take_up(self.context, [(sequence.tenant_id, id_) for id_ in ids])
        return ids

    async def want(self, enrollments: Sequence[UUID], intent: str) -> None:
        """What somebody wants of enrollments."""
        await self.admin.execute(
            "UPDATE sequence.enrollments SET intent = $2, intent_at = postroad.now() WHERE enrollment_id = ANY($1)",
            list(enrollments),
            intent,
        )

    async def set_sequence(self, sequence: Course, state: str) -> None:
        """What somebody wants of a sequence."""
        await self.admin.execute(
            "UPDATE sequence.sequences SET state = $2 WHERE sequence_id = $1", sequence.sequence_id, state
        )

    async def pause_sender(self, sequence: Course, *, paused: bool) -> None:
        """A person pauses the sender, or ends that."""
        await self.admin.execute(
            "UPDATE sequence.senders SET paused_at = CASE WHEN $2 THEN postroad.now() END WHERE sender_id = $1",
            sequence.sender_id,
            paused,
        )

    async def stop(
        self, tenant_id: UUID, kind: str, *, enrollment_id: UUID | None = None, email: str | None = None
    ) -> None:
        """What the tracker commits before it tells us."""
        await self.admin.execute(
            "INSERT INTO tracking.stops (tenant_id, stop_id, kind, event_id, enrollment_id, email)"
            " VALUES ($1, $2, $3, $2, $4, $5)",
            tenant_id,
            new_id(),
            kind,
            enrollment_id,
            email,
        )

    # --- what is there now

    async def progress(self, enrollment_id: UUID) -> asyncpg.Record:
        """The row of an enrollment."""
        row = await self.admin.fetchrow("SELECT * FROM schedule.progress WHERE enrollment_id = $1", enrollment_id)
        assert row is not None, "not taken up"
        return row

    async def phases(self, enrollments: Sequence[UUID]) -> set[tuple[str, str]]:
        """The states and phases that occur."""
        rows = await self.admin.fetch(
            "SELECT DISTINCT state, phase FROM schedule.progress WHERE enrollment_id = ANY($1)", list(enrollments)
        )
        return {(row["state"], row["phase"]) for row in rows}

    async def decisions(self, enrollment_id: UUID) -> list[asyncpg.Record]:
        """What was decided over an enrollment, in order."""
        return await self.admin.fetch(
            "SELECT * FROM schedule.decisions WHERE enrollment_id = $1 ORDER BY decision_id", enrollment_id
        )

    async def slots(self, enrollments: Sequence[UUID]) -> int:
        """How many of these still have their slot."""
        count: int = await self.admin.fetchval(
            "SELECT count(*) FROM sequence.active_slots WHERE enrollment_id = ANY($1)", list(enrollments)
        )
        return count

    # --- what the senders answer

    async def answer(self, tenant_id: UUID, *items: StepSettled) -> None:
        """Settle these in one message."""
        await settle(self.context, [StepsSettledV1(tenant_id=tenant_id, items=items)])


def keys(tenant_id: UUID, enrollments: Sequence[UUID]) -> list[Key]:
    """Enrollments of one tenant as keys."""
    return [(tenant_id, id_) for id_ in enrollments]


def settled(due: StepDue | Claimed, outcome: Outcome, at: datetime, **more: Any) -> StepSettled:
    """The answer to a due step."""
    return StepSettled(
        enrollment_id=due.enrollment_id,
        step_key=due.step_key,
        attempt=due.attempt,
        outcome=outcome,
        settled_at=at,
        **more,
    )


@dataclass
class SendersEnd:
    """The due steps that reached the senders' queue."""

    broker: Broker
    messages: list[StepsDueV1] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def items(self) -> list[StepDue]:
        """All steps, in order of arrival."""
        return [item for message in self.messages for item in message.items]

    async def take(self, count: int) -> list[StepDue]:
        """Wait until exactly this many have come; give and forget them."""
        async with asyncio.timeout(30):
            while len(self.items) < count:
                self.arrived.clear()
                await self.arrived.wait()
        items = self.items
        assert len(items) == count
        self.messages = []
        return items

    async def __call__(self, delivery: Delivery) -> None:
        """Keep one message."""
        assert isinstance(delivery.message, StepsDueV1)
        self.messages.append(delivery.message)
        self.arrived.set()


@asynccontextmanager
async def senders_end(url: str) -> AsyncIterator[SendersEnd]:
    """Consume what is due from now on; the broker is there to publish with."""
    async with await Broker.connect(url, name="depot") as broker:
        await declare_topology(broker)
        async with broker.channel(prefetch=1) as channel:
            await channel.queue_purge(SENDER_DUE.name)
        end = SendersEnd(broker)
        consumer = Consumer(broker, SENDER_DUE, end, prefetch=100, concurrency=1)
        consuming = asyncio.create_task(consumer.run())
        yield end
        await consumer.stop()
        await consuming
