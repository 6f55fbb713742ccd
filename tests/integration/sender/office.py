"""One tenant with a sender, a sequence and contacts; the scheduler's part of the queues; and the sender under test."""

import asyncio
import base64
import email
import email.policy
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import asyncpg

from postroad_common.amqp import Broker, Consumer, Delivery, declare_topology
from postroad_common.amqp.topology import SCHEDULER_SETTLED
from postroad_common.contracts import StepDue, StepsDueV1, StepSettled, StepsSettledV1
from postroad_common.ids import message_id_for, new_id
from postroad_common.lifecycle import Service
from postroad_common.starting import close_pool, wait_for_broker, wait_for_database
from postroad_sender.__main__ import build
from postroad_sender.settings import SenderSettings
from postroad_stack import eventually
from postroad_stack.databases import Database
from postroad_stack.smtp_server import SmtpServer

TEXT = "Hello {{ contact.first_name }}\n{{ unsubscribe_url }}\n"
SECRET_KEYS = "k1:" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
TRACKING_URL = "https://track.example"
QUICK: dict[str, Any] = {
    "allow_private_smtp": True,
    "settled_within_seconds": 0.02,
    "heartbeat_seconds": 0.2,
    "heartbeat_lives_seconds": 1.5,
    "recovery_seconds": 0.1,
    "smtp_command_seconds": 5.0,
    "smtp_message_seconds": 5.0,
    "pause_outage_seconds": 1.0,
}
HTML = (
    '<p>Hello {{ contact.first_name }}</p><a href="https://shop.example/?a=1&amp;b=2">Shop</a>'
    '<a href="{{ unsubscribe_url }}">unsubscribe</a>'
)


SETUP = """
INSERT INTO sequence.tenants (tenant_id, name) VALUES ($1, 'Müller & Söhne')

INSERT INTO sequence.senders (tenant_id, sender_id, name, from_email, from_name, esp, host, port, security,
                              max_connections)
VALUES ($1, $2, 'main', 'hello@post.example', 'Jürgen Post', $5, '127.0.0.1', $6, 'none', $7)

INSERT INTO sequence.templates (tenant_id, template_id, name) VALUES ($1, $4, 'one')

INSERT INTO sequence.template_versions (tenant_id, template_id, version, subject, html, text)
VALUES ($1, $4, 1, $8, $9, $10)

INSERT INTO sequence.sequences (tenant_id, sequence_id, name) VALUES ($1, $3, 'onboarding')

INSERT INTO sequence.sequence_versions (tenant_id, sequence_id, version, sender_id) VALUES ($1, $3, 1, $2)

INSERT INTO sequence.steps (tenant_id, sequence_id, version, number, step_key, kind, delay_seconds, template_id,
                            template_version, thread)
SELECT $1, $3, 1, number, step_key, 'email', 0, $4, 1, thread
FROM (VALUES (1, 'hello', 'new'), (2, 'again', 'reply'), (3, 'last', 'reply')) AS v (number, step_key, thread)

UPDATE sequence.sequence_versions SET activated_at = now() WHERE tenant_id = $1

UPDATE sequence.sequences SET state = 'active', active_version = 1 WHERE tenant_id = $1
"""
CONTACTS = """
INSERT INTO sequence.contacts (tenant_id, contact_id, email, first_name, last_name, company)
SELECT $1, contact_id, email, $4, 'Łoś', 'Acme' FROM unnest($2::uuid[], $3::text[]) AS c (contact_id, email)
"""
ENROLLMENTS = """
INSERT INTO sequence.enrollments (tenant_id, enrollment_id, sequence_id, version, contact_id)
SELECT $1, enrollment_id, $4, 1, contact_id FROM unnest($2::uuid[], $3::uuid[]) AS e (enrollment_id, contact_id)
"""
PROGRESS = """
INSERT INTO schedule.progress (tenant_id, enrollment_id, sequence_id, version, contact_id, sender_id, state, phase,
    step_number, step_key, attempt, emissions, anchor_at, next_due_at, send_before, wake_at, reason, started_at)
SELECT $1, enrollment_id, $4, 1, contact_id, $5, 'active', 'in_flight', 1, 'hello', 1, 1, now(), now(),
    now() + interval '1 day', now() + interval '5 min', '[]', now()
FROM unnest($2::uuid[], $3::uuid[]) AS e (enrollment_id, contact_id)
"""
STEPS = ("hello", "again", "last")


@dataclass
class Office:
    """Rows as the other services write them. Steps: `hello` begins a thread, `again` and `last` reply in it."""

    database: Database
    admin: asyncpg.Connection
    amqp_url: str
    tenant_id: UUID = field(default_factory=new_id)
    sender_id: UUID = field(default_factory=new_id)
    sequence_id: UUID = field(default_factory=new_id)
    template_id: UUID = field(default_factory=new_id)

    async def furnish(
        self,
        smtp_port: int,
        *,
        max_connections: int = 4,
        esp: str = "smtp",
        template: tuple[str, str, str] = ("Welcome {{ contact.first_name }}", HTML, TEXT),
    ) -> None:
        """Insert tenant, sender, template, and an active sequence of three steps."""
        ids = [self.tenant_id, self.sender_id, self.sequence_id, self.template_id]
        values = [*ids, esp, smtp_port, max_connections, *template]
        for statement in SETUP.strip().split("\n\n"):
            numbered, used = only_used(statement, values)
            await self.admin.execute(numbered, *used)

    async def use_template(self, subject: str, html: str = "<p>x</p>", text: str = "x") -> None:
        """Another template for all steps, as if it had been so from the beginning."""
        await self.admin.execute("SET session_replication_role = replica")  # versions do not change; here they do
        await self.admin.execute(
            "UPDATE sequence.template_versions SET subject = $2, html = $3, text = $4 WHERE tenant_id = $1",
            self.tenant_id, subject, html, text,
        )  # fmt: skip
        await self.admin.execute("SET session_replication_role = origin")

    async def enroll(self, email: str, *, first_name: str = "Zoë") -> StepDue:
        """A contact with an enrollment in progress; gives the due item of its first step."""
        return (await self.enroll_all([email], first_name=first_name))[0]

    async def enroll_many(self, count: int) -> list[StepDue]:
        """That many contacts, c0@recipient.example and on."""
        return await self.enroll_all([f"c{number}@recipient.example" for number in range(count)])

    async def enroll_all(self, emails: Sequence[str], *, first_name: str = "Zoë") -> list[StepDue]:
        """Contacts with enrollments in progress; gives the due items of their first step."""
        contacts, enrollments = [new_id() for _ in emails], [new_id() for _ in emails]
        await self.admin.execute(CONTACTS, self.tenant_id, contacts, emails, first_name)
        await self.admin.execute(ENROLLMENTS, self.tenant_id, enrollments, contacts, self.sequence_id)
        await self.admin.execute(PROGRESS, self.tenant_id, enrollments, contacts, self.sequence_id, self.sender_id)
        now = datetime.now(UTC)
        return [
            StepDue(
                enrollment_id=enrollment_id, contact_id=contact_id, sequence_id=self.sequence_id, version=1,
                step_key="hello", step_number=1, attempt=1, due_at=now, send_before=now + timedelta(days=1),
            )
            for enrollment_id, contact_id in zip(enrollments, contacts, strict=True)
        ]  # fmt: skip

    def message_id(self, item: StepDue) -> UUID:
        """The id of an item's message."""
        return message_id_for(self.tenant_id, item.enrollment_id, item.step_key)

    async def row(self, item: StepDue) -> asyncpg.Record | None:
        """The ledger row of an item."""
        return await self.admin.fetchrow(
            "SELECT * FROM delivery.messages WHERE tenant_id = $1 AND enrollment_id = $2 AND step_key = $3",
            self.tenant_id,
            item.enrollment_id,
            item.step_key,
        )

    async def state(self, item: StepDue) -> str | None:
        """The ledger state of an item."""
        row = await self.row(item)
        return None if row is None else str(row["state"])

    async def attempts(self, item: StepDue) -> list[str]:
        """Outcomes of an item's attempts, in order."""
        rows = await self.admin.fetch(
            "SELECT outcome FROM delivery.attempts WHERE tenant_id = $1 AND enrollment_id = $2 AND step_key = $3"
            " ORDER BY attempt_id",
            self.tenant_id,
            item.enrollment_id,
            item.step_key,
        )
        return [row["outcome"] for row in rows]

    async def value(self, query: str) -> Any:
        """One value, asked as an administrator; $1 is the tenant."""
        return await self.admin.fetchval(query, self.tenant_id)

    async def execute(self, statement: str, *arguments: object) -> str:
        """Write as an administrator; $1 is the tenant."""
        return await self.admin.execute(statement, self.tenant_id, *arguments)


@dataclass
class Post:
    """The scheduler's part: publishes due steps and keeps what is settled."""

    office: Office
    broker: Broker
    settled: list[StepSettled] = field(default_factory=list)

    async def send(self, *items: StepDue) -> None:
        """Publish items as the scheduler does, 50 a message."""
        for start in range(0, len(items), 50):
            await self.broker.publish(
                StepsDueV1(
                    tenant_id=self.office.tenant_id, sender_id=self.office.sender_id, items=items[start : start + 50]
                )
            )

    async def keep(self, delivery: Delivery) -> None:
        """Handler of steps.settled.v1."""
        assert isinstance(delivery.message, StepsSettledV1)
        self.settled.extend(delivery.message.items)

    def of(self, item: StepDue) -> list[StepSettled]:
        """What was settled about an item."""
        return [
            entry
            for entry in self.settled
            if (entry.enrollment_id, entry.step_key) == (item.enrollment_id, item.step_key)
        ]

    async def answer(self, item: StepDue, *, timeout: float = 15.0) -> StepSettled:
        """The settlement of an item's attempt, when it comes."""

        def found() -> list[StepSettled]:
            return [entry for entry in self.of(item) if entry.attempt == item.attempt]

        return (await eventually(found, timeout=timeout, reason=f"settlement of {item.step_key} {item.attempt}"))[0]

    async def answers(self, items: Sequence[StepDue], *, timeout: float = 30.0) -> list[str]:
        """The outcomes of all, when the last has come."""
        await eventually(lambda: all(self.of(item) for item in items), timeout=timeout, reason="all settled")
        return [self.of(item)[0].outcome for item in items]


def only_used(statement: str, values: Sequence[object]) -> tuple[str, list[object]]:
    """A statement and just those of the values that it names, numbered anew."""
    used = list(dict.fromkeys(re.findall(r"\$\d+", statement)))
    numbered = re.sub(r"\$\d+", lambda match: f"${used.index(match[0]) + 1}", statement)
    return numbered, [values[int(name[1:]) - 1] for name in used]


def step(item: StepDue, number: int = 1, *, attempt: int = 1, **changes: object) -> StepDue:
    """Another step or attempt of an item's enrollment."""
    return item.model_copy(update={"step_number": number, "step_key": STEPS[number - 1], "attempt": attempt, **changes})


@asynccontextmanager
async def open_post(office: Office) -> AsyncIterator[Post]:
    """A scheduler's ends of the queues."""
    async with await Broker.connect(office.amqp_url, name="test") as broker:
        await declare_topology(broker)
        post = Post(office, broker)
        consumer = Consumer(broker, SCHEDULER_SETTLED, post.keep, prefetch=10, concurrency=10)
        task = asyncio.create_task(consumer.run())
        try:
            yield post
        finally:
            await consumer.stop()
            await task


def settings_of(office: Office, **changes: Any) -> SenderSettings:
    """Settings of a quick sender."""
    return SenderSettings(
        database_url=office.database.dsn("postroad_sender"),
        amqp_url=changes.pop("amqp_url", office.amqp_url),
        secret_keys=SECRET_KEYS,
        tracking_url=TRACKING_URL,
        **(QUICK | changes),
    )


@asynccontextmanager
async def running_sender(office: Office, **changes: Any) -> AsyncIterator[Service[SenderSettings]]:
    """The sender in this process, wired by its own build(), drained at the end."""
    service = Service("sender", settings_of(office, **changes), max_body_bytes=1024, trusts_callers_trace=True)
    service.pool = await wait_for_database(service.settings, "sender")
    try:
        service.broker = await wait_for_broker(service.settings, "sender")
        try:
            async with build(service):
                yield service
                service.stopping.set()
                await service.drain()
            assert not service.crashed
        finally:
            await service.broker.close()
    finally:
        await close_pool(service.pool)


def parsed(content: bytes) -> EmailMessage:
    """A message as a mail program reads it."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def recipients(smtp: SmtpServer) -> list[str]:
    """Whom the mail server accepted mail for, by its own log."""
    return [mail.recipient for mail in smtp.accepted()]
