"""Tenants with contacts, enrollments, ledger rows and webhook sources, written as an administrator."""

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from postroad_common.contracts.tokens import TokenKind, TrackingToken
from postroad_common.db import transaction
from postroad_common.ids import message_id_for, new_id, pack_ref
from postroad_common.sealing import KeyRing
from postroad_stack.fake_esps import FakePostmark, FakeSendGrid, WebhookRequest
from postroad_stack.process import Process


@dataclass(frozen=True)
class Tracker:
    """A running tracker."""

    process: Process
    url: str

    def log(self) -> str:
        return self.process.log.read_text()


def listening_port(process: Process, seconds: float = 30) -> int:
    """The port of the `listening` line; fails with the log when there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        process.check_running()
        found = re.search(r'"port":(\d+)', process.log.read_text()) if process.log.exists() else None
        if found:
            return int(found[1])
        time.sleep(0.02)
    raise AssertionError(f"the tracker does not listen:\n{process.log_tail()}")


@dataclass(frozen=True)
class Mail:
    """A message in the ledger."""

    tenant_id: UUID
    contact_id: UUID
    enrollment_id: UUID
    step_key: str
    message_id: UUID
    email: str
    rfc_message_id: str

    @property
    def ref(self) -> str:
        return pack_ref(self.tenant_id, self.message_id)


@dataclass(frozen=True)
class Tenant:
    """A tenant with a sequence that mails can belong to."""

    tenant_id: UUID
    name: str
    sequence_id: UUID
    sender_id: UUID
    incarnation_id: UUID
    sendgrid: FakeSendGrid
    postmark: FakePostmark
    sendgrid_path: str
    postmark_path: str


@dataclass(frozen=True)
class Town:
    """The database as an administrator, and the tracker as anybody."""

    admin: asyncpg.Connection
    http: httpx.AsyncClient
    keyring: KeyRing
    numbers: list[int] = field(default_factory=lambda: [0])

    async def tenant(self, name: str = "Mill") -> Tenant:
        tenant_id, sequence_id, sender_id = new_id(), new_id(), new_id()
        incarnation_id, template_id = new_id(), new_id()
        await self.admin.execute("INSERT INTO sequence.tenants (tenant_id, name) VALUES ($1, $2)", tenant_id, name)
        await self.admin.execute(
            "INSERT INTO sequence.senders (tenant_id, sender_id, name, from_email, host, port)"
            " VALUES ($1, $2, 'main', 'hello@ours.example', 'localhost', 25)",
            tenant_id,
            sender_id,
        )
        await self.admin.execute(
            "INSERT INTO sequence.templates (tenant_id, template_id, name) VALUES ($1, $2, 't')", tenant_id, template_id
        )
        await self.admin.execute(
            "INSERT INTO sequence.sequences (tenant_id, sequence_id, name) VALUES ($1, $2, 's')", tenant_id, sequence_id
        )
        await self.admin.execute(
            "INSERT INTO sequence.sequence_versions (tenant_id, sequence_id, version, sender_id)"
            " VALUES ($1, $2, 1, $3)",
            tenant_id,
            sequence_id,
            sender_id,
        )
        await self.admin.execute(
            "INSERT INTO delivery.incarnations (incarnation_id, host, pid, expires_at)"
            " VALUES ($1, 'here', 1, now() + interval '1 hour')",
            incarnation_id,
        )
        sendgrid, postmark = FakeSendGrid(), FakePostmark("mill", f"secret-{tenant_id}")
        return Tenant(
            tenant_id,
            name,
            sequence_id,
            sender_id,
            incarnation_id,
            sendgrid,
            postmark,
            await self.source(tenant_id, "sendgrid", {"public_keys": [sendgrid.public_key]}),
            await self.source(
                tenant_id,
                "postmark",
                {"credentials": [{"username": postmark.username, "password": postmark.password}]},
            ),
        )

    async def source(self, tenant_id: UUID, esp: str, secrets: dict[str, Any]) -> str:
        """A webhook source; returns the path that the ESP posts to."""
        source_id = new_id()
        sealed = self.keyring.seal("webhook-source", json.dumps(secrets).encode(), context=source_id.bytes)
        await self.admin.execute(
            "INSERT INTO sequence.webhook_sources (tenant_id, source_id, name, esp, secrets_sealed)"
            " VALUES ($1, $2, 'source', $3, $4)",
            tenant_id,
            source_id,
            esp,
            sealed,
        )
        return f"/webhooks/{esp}/{pack_ref(tenant_id, source_id)}"

    async def contact(self, tenant: Tenant, email: str | None = None) -> tuple[UUID, str]:
        self.numbers[0] += 1
        contact_id, address = new_id(), email or f"person{self.numbers[0]}@folk.example"
        await self.admin.execute(
            "INSERT INTO sequence.contacts (tenant_id, contact_id, email) VALUES ($1, $2, $3)",
            tenant.tenant_id,
            contact_id,
            address,
        )
        return contact_id, address

    async def mail(
        self,
        tenant: Tenant,
        state: str = "accepted",
        *,
        contact: tuple[UUID, str] | None = None,
        enrollment_id: UUID | None = None,
        step_key: str = "one",
        provider_message_id: str | None = None,
        settled_ago: str = "0",
    ) -> Mail:
        """A ledger row, with a contact and an enrollment of its own unless given."""
        contact_id, email = contact or await self.contact(tenant)
        if enrollment_id is None:
            enrollment_id = new_id()
            await self.admin.execute(
                "INSERT INTO sequence.enrollments (tenant_id, enrollment_id, sequence_id, version, contact_id)"
                " VALUES ($1, $2, $3, 1, $4)",
                tenant.tenant_id,
                enrollment_id,
                tenant.sequence_id,
                contact_id,
            )
        message_id = message_id_for(tenant.tenant_id, enrollment_id, step_key)
        rfc_message_id = f"<{message_id.hex}@ours.example>"
        await self.admin.execute(
            "INSERT INTO delivery.messages (tenant_id, enrollment_id, step_key, message_id, state, attempt,"
            " incarnation_id, sequence_id, version, step_number, contact_id, sender_id, recipient, rfc_message_id,"
            " provider_message_id, due_at, transmitting_at, settled_at)"
            " VALUES ($1, $2, $3, $4, $5, 1, $6, $7, 1, 1, $8, $9, $10, $11, $12, now(), now(),"
            "  CASE WHEN $5 = 'transmitting' THEN NULL ELSE now() - $13::text::interval END)",
            tenant.tenant_id,
            enrollment_id,
            step_key,
            message_id,
            state,
            tenant.incarnation_id,
            tenant.sequence_id,
            contact_id,
            tenant.sender_id,
            email,
            rfc_message_id,
            provider_message_id,
            settled_ago,
        )
        return Mail(tenant.tenant_id, contact_id, enrollment_id, step_key, message_id, email, rfc_message_id)

    async def settle(self, mail: Mail, state: str = "accepted", provider_message_id: str | None = None) -> None:
        """What the sender does when the server has answered."""
        await self.admin.execute(
            "UPDATE delivery.messages SET state = $3, settled_at = now(), provider_message_id = $4"
            " WHERE tenant_id = $1 AND message_id = $2",
            mail.tenant_id,
            mail.message_id,
            state,
            provider_message_id,
        )

    def token(self, kind: TokenKind, mail: Mail, *, url: str | None = None, traceparent: str | None = None) -> str:
        return TrackingToken(kind, mail.tenant_id, mail.message_id, url, traceparent).seal(self.keyring)

    async def post(self, path: str, request: WebhookRequest) -> httpx.Response:
        return await self.http.post(path, content=request.body, headers=dict(request.headers))

    async def events(self, tenant_id: UUID) -> list[asyncpg.Record]:
        """The tenant's events as the contract view shows them, in the order they came."""
        async with transaction(self.admin, tenant_id) as conn:
            return await conn.fetch(
                "SELECT * FROM views.events WHERE tenant_id = $1 ORDER BY received_at, event_id", tenant_id
            )

    async def stops(self, tenant_id: UUID) -> list[asyncpg.Record]:
        return await self.admin.fetch(
            "SELECT * FROM tracking.stops WHERE tenant_id = $1 ORDER BY created_at, stop_id", tenant_id
        )

    async def count(self, table: str, tenant_id: UUID) -> int:
        return int(await self.admin.fetchval(f"SELECT count(*) FROM {table} WHERE tenant_id = $1", tenant_id))
