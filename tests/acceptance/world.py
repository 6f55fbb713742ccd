"""One tenant on running services, with the evidence that the services did not write: the SMTP server's own log."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import Any
from uuid import UUID

import aio_pika
import asyncpg
import httpx

from postroad_common.amqp.topology import Queue
from postroad_stack.eventually import eventually
from postroad_stack.services import Services
from postroad_stack.smtp_server import Accepted, SmtpServer
from tests.http import http_client

#: What a crash is recovered in: short, so that a proof takes seconds; the ratios are those of production.
QUICK = {
    "POSTROAD_SCHEDULER_TICK_SECONDS": "0.1",
    "POSTROAD_SCHEDULER_LEASE_SECONDS": "3",
    "POSTROAD_SCHEDULER_ANSWER_SECONDS": "15",
    "POSTROAD_SCHEDULER_HELD_SECONDS": "1",
    "POSTROAD_SCHEDULER_LOOK_AGAIN_SECONDS": "5",
    "POSTROAD_SCHEDULER_RECONCILE_SECONDS": "2",
    "POSTROAD_SCHEDULER_RECONCILE_AFTER_SECONDS": "2",
    "POSTROAD_SENDER_HEARTBEAT_SECONDS": "0.5",
    "POSTROAD_SENDER_HEARTBEAT_LIVES_SECONDS": "3",
    "POSTROAD_SENDER_RECOVERY_SECONDS": "1",
    "POSTROAD_SENDER_ALLOW_PRIVATE_SMTP": "true",
}

Mail = tuple[str, str]  # recipient, step: the subject of each step names it


@dataclass
class World:
    """A tenant, a sender that points to the recording SMTP server, and ways to ask all parties."""

    services: Services
    smtp: SmtpServer
    admin: asyncpg.Connection[asyncpg.Record]  # a superuser: sees through every wall, for counting only
    http: httpx.AsyncClient
    admin_dsn: str
    tenant_id: UUID
    key: str
    sender_id: str = ""
    counted_up_to: int = 0
    counted: defaultdict[str, Counter[Mail]] = field(default_factory=lambda: defaultdict(Counter))

    async def call(
        self, method: str, path: str, *, expect: int | tuple[int, ...] = (200, 201, 202), **request: Any
    ) -> Any:
        """One API call as the tenant's owner; anything but the expected status fails the test with the body."""
        response = await self.http.request(method, f"/v1{path}", **request)
        expected = (expect,) if isinstance(expect, int) else expect
        assert response.status_code in expected, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    async def add_sender(self, *, connections: int = 10, name: str = "main", **fields: Any) -> str:
        """A sender at the recording SMTP server."""
        sender = await self.call(
            "POST",
            "/senders",
            json={
                "name": name,
                "from_email": "hello@postroad.example",
                "from_name": "Postroad",
                "host": "127.0.0.1",
                "port": self.smtp.port,
                "security": "none",
                "max_connections": connections,
                **fields,
            },
        )
        return str(sender["id"])

    async def add_sequence(self, name: str, *, steps: int = 3, delay: str = "0s", first: str = "0s") -> str:
        """An active sequence whose n-th mail has the subject `<name> step n`."""
        self.sender_id = self.sender_id or await self.add_sender()
        body = []
        for number in range(1, steps + 1):
            template = await self.call(
                "POST",
                "/templates",
                json={
                    "name": f"{name} {number}",
                    "subject": f"{name} step {number}",
                    "html": '<p>Hello {{ contact.first_name|default("there") }}</p><a href="https://shop.example/x">Go</a>'
                    '<p><a href="{{ unsubscribe_url }}">Unsubscribe</a></p>',
                    "text": "Hello {{ contact.email }} {{ unsubscribe_url }}",
                },
            )
            body.append({"kind": "email", "template_id": template["id"], "delay": first if number == 1 else delay})
        sequence = await self.call(
            "POST", "/sequences", json={"name": name, "sender_id": self.sender_id, "steps": body}
        )
        await self.call("POST", f"/sequences/{sequence['id']}/activate")
        return str(sequence["id"])

    async def add_contacts(self, emails: Sequence[str], *, company: str = "") -> dict[str, str]:
        """Import the addresses; returns email → contact id."""
        rows = "\r\n".join(f"{email},Ada,{company}" for email in emails)
        job = await self.call(
            "POST",
            "/contacts/import",
            content=f"email,first_name,company\r\n{rows}\r\n".encode(),
            headers={"Content-Type": "text/csv"},
        )

        async def imported() -> bool:
            return bool((await self.call("GET", f"/jobs/{job['id']}"))["state"] == "completed")

        await eventually(imported, timeout=120, reason="the import of the contacts")
        found = await self.admin.fetch(
            "SELECT email, contact_id FROM sequence.contacts WHERE tenant_id = $1 AND email = ANY($2)",
            self.tenant_id,
            list(emails),
        )
        assert len(found) == len(set(emails))
        return {row["email"]: str(row["contact_id"]) for row in found}

    async def enroll(self, sequence_id: str, contact_ids: Sequence[str]) -> dict[str, str]:
        """Enroll in calls of 1,000; returns contact id → enrollment id of those that were enrolled."""
        enrolled: dict[str, str] = {}
        for start in range(0, len(contact_ids), 1000):
            answer = await self.call(
                "POST",
                f"/sequences/{sequence_id}/enrollments",
                json={"contact_ids": list(contact_ids[start : start + 1000])},
            )
            enrolled |= {r["contact_id"]: r["enrollment_id"] for r in answer["results"] if r["result"] == "enrolled"}
        return enrolled

    async def states(self, sequence_id: str) -> Counter[str]:
        """How many enrollments of the sequence are in each state, straight from the table."""
        rows = await self.admin.fetch(
            "SELECT coalesce(p.state, 'untaken') AS state, count(*) AS n FROM sequence.enrollments e"
            " LEFT JOIN schedule.progress p USING (tenant_id, enrollment_id) WHERE e.sequence_id = $1 GROUP BY 1",
            UUID(sequence_id),
        )
        return Counter({row["state"]: row["n"] for row in rows})

    async def until_ended(self, sequence_id: str, *, timeout: float) -> Counter[str]:
        """Wait until every enrollment of the sequence has ended; fails with what the others wait for."""
        deadline = time.monotonic() + timeout
        while True:
            states = await self.states(sequence_id)
            if states and not states["untaken"] + states["active"] + states["paused"]:
                return states
            assert time.monotonic() < deadline, (
                f"not ended after {timeout} s: {dict(states)} {await self.stuck(sequence_id)}"
            )
            await asyncio.sleep(0.2)

    async def stuck(self, sequence_id: str) -> list[dict[str, Any]]:
        """What the enrollments that have not ended wait for."""
        rows = await self.admin.fetch(
            "SELECT phase, step_key, attempt, emissions, wake_at - now() AS wakes_in, reason, count(*) AS n"
            " FROM schedule.progress WHERE sequence_id = $1 AND phase <> 'ended' GROUP BY 1, 2, 3, 4, 5, 6 LIMIT 5",
            UUID(sequence_id),
        )
        return [dict(row) for row in rows]

    async def ledger(self, sequence_id: str) -> Counter[str]:
        """How many ledger rows of the sequence are in each state."""
        rows = await self.admin.fetch(
            "SELECT state, count(*) AS n FROM delivery.messages WHERE sequence_id = $1 GROUP BY 1", UUID(sequence_id)
        )
        return Counter({row["state"]: row["n"] for row in rows})

    async def unknown(self, sequence_id: str) -> list[asyncpg.Record]:
        """The ledger's unknowns of the sequence: recipient, subject, incarnation, rfc_message_id."""
        return await self.admin.fetch(
            "SELECT recipient, subject, incarnation_id, rfc_message_id, message_id FROM delivery.messages"
            " WHERE sequence_id = $1 AND state = 'unknown'",
            UUID(sequence_id),
        )

    def mails(self, name: str) -> Counter[Mail]:
        """How often the server accepted each (recipient, step) of the sequence with that name."""
        for mail in self.smtp.accepted_after(self.counted_up_to):
            self.counted[mail.subject.partition(" step ")[0]][(mail.recipient, mail.subject)] += 1
            self.counted_up_to = mail.number
        return Counter(self.counted[name])

    async def until_quiet(self, *queues: Queue) -> None:
        """Wait until no message, as one given again after a kill, is left in the queues or on their ladders."""
        connection = await aio_pika.connect(self.services.amqp_url)
        async with connection:
            channel = await connection.channel()

            async def empty() -> bool:
                names = [name for queue in queues for name in (queue.name, *map(queue.retry, queue.rungs))]
                found = [await channel.declare_queue(name, passive=True) for name in names]
                return not any(queue.declaration_result.message_count for queue in found)

            await eventually(empty, timeout=75, interval=0.2, reason="the queues are empty")

    async def reconnect(self) -> None:
        """Connect again for counting, after the database was away."""
        await self.admin.close()
        self.admin = await asyncpg.connect(self.admin_dsn)

    async def verify(self) -> dict[str, Any]:
        """The product's own proofs; the caller asserts on `ok`."""
        report: dict[str, Any] = await self.call("GET", "/verify")
        return report


def part(mail: Accepted, subtype: str) -> str:
    """The html or plain part of a mail, as the recipient's program shows it; the server must keep messages."""
    body = message_from_bytes(mail.content(), policy=policy.default).get_body((subtype,))
    assert body is not None, f"the mail has no {subtype} part"
    return str(body.get_content())


def duplicates(mails: Mapping[Mail, int]) -> dict[Mail, int]:
    """Those that the server accepted more than once."""
    return {mail: times for mail, times in mails.items() if times > 1}


@contextlib.asynccontextmanager
async def new_world(services: Services, smtp: SmtpServer, admin_dsn: str, name: str = "Acme") -> AsyncIterator[World]:
    """A new tenant on running services."""
    async with http_client(base_url=services.api_url, timeout=60) as http:
        response = await http.post(
            "/v1/tenants", json={"name": name}, headers={"Authorization": f"Bearer {services.operator_token}"}
        )
        assert response.status_code == 201, response.text
        created = response.json()
        key = created["api_key"]["key"]
        http.headers["Authorization"] = f"Bearer {key}"
        admin = await asyncpg.connect(admin_dsn)
        world = World(services, smtp, admin, http, admin_dsn, UUID(created["tenant"]["id"]), key)
        try:
            yield world
        finally:
            await world.admin.close()
