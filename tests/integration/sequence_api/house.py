"""A running API and its tenants: calls that fail with the answer, and the things that most tests need."""

import asyncio
import base64
import json
import os
import re
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import aio_pika
import asyncpg
import httpx

from postroad_common.ids import message_id_for, new_id
from postroad_sender.sources import compressed
from postroad_sequence_api.door import Route
from postroad_stack.databases import Database
from postroad_stack.eventually import eventually
from postroad_stack.listening import listening_port
from postroad_stack.process import Process

OPERATOR_TOKEN = "operator-token-of-the-tests"
KEYS = "k1:" + base64.b64encode(secrets.token_bytes(32)).decode()
SETTINGS = {
    "POSTROAD_SECRET_KEYS": KEYS,
    "POSTROAD_TRACKING_URL": "https://track.ours.example",
    "POSTROAD_SEQUENCE_API_OPERATOR_TOKEN": OPERATOR_TOKEN,
    "POSTROAD_SEQUENCE_API_STOP_WAIT_SECONDS": "0.5",
    "POSTROAD_SEQUENCE_API_STOP_POLL_SECONDS": "0.02",
    "POSTROAD_SEQUENCE_API_WEBHOOK_WORKERS": "0",  # addresses in tests are anybody's
    "POSTROAD_SEQUENCE_API_WEBHOOK_TIMEOUT_SECONDS": "1",
    "POSTROAD_SEQUENCE_API_WEBHOOK_REFRESH_SECONDS": "0",
}
SECOND_RATE_LIMIT = 40
SECOND_ORIGIN = "https://crm.example.com"
SOURCE = b"From: hello@ours.example\r\nSubject: Hello\r\n\r\nHello there\r\n"
HTML = '<p>Hello {{ contact.first_name|default("there") }}</p><a href="{{ unsubscribe_url }}">No more</a>'


def name_of(route: Route) -> str:
    """A route by method and path, its thing's id as {id}."""
    return f"{route.method} {re.sub(r'{(?!external_)[a-z_]+_id}', '{id}', route.path)}"


@dataclass(frozen=True)
class Api:
    """A running sequence-api."""

    process: Process
    http: httpx.AsyncClient
    amqp_url: str

    def log(self) -> str:
        return self.process.log.read_text()

    async def ask(self, method: str, path: str, *, key: str | None, **request: Any) -> httpx.Response:
        """One call under /v1 with a key, or without."""
        headers = dict(request.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        return await self.http.request(method, f"/v1{path}", headers=headers, **request)


PROGRAM = (sys.executable, "-m", "postroad_sequence_api")


def start(
    database: Database, amqp_url: str, log: Path, *, program: Sequence[str] = PROGRAM, **settings: str
) -> Process:
    """An API process; it may not listen yet."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("POSTROAD_")}
    env = inherited | SETTINGS | settings
    env["POSTROAD_DATABASE_URL"] = database.dsn("postroad_sequence_api")
    env["POSTROAD_AMQP_URL"] = amqp_url
    return Process([*program], log=log, env=env, name="sequence-api")


@contextmanager
def running_api(database: Database, amqp_url: str, log: Path, **settings: str) -> Iterator[tuple[Process, str]]:
    """An API process and its address."""
    process = start(database, amqp_url, log, **settings)
    try:
        yield process, f"http://127.0.0.1:{asyncio.run(listening_port(process))}"
    finally:
        asyncio.run(process.kill())


async def api_of(process: Process, http: httpx.AsyncClient, amqp_url: str) -> Api:
    """The process as one to call, once it listens."""
    http.base_url = httpx.URL(f"http://127.0.0.1:{await listening_port(process)}")
    return Api(process, http, amqp_url)


@dataclass
class Tenant:
    """A tenant by its owner's key, and the database as an administrator for what other services would write."""

    api: Api
    admin: asyncpg.Connection
    tenant_id: UUID
    key: str
    numbers: int = 0
    sender_id: str = ""
    incarnation_id: UUID = field(default_factory=new_id)

    async def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """One call; the answer whatever it is."""
        return await self.api.ask(method, path, key=request.pop("key", self.key), **request)

    async def call(self, method: str, path: str, *, expect: int = 200, **request: Any) -> Any:
        """One call; anything but the expected status fails with the answer."""
        response = await self.ask(method, path, **request)
        assert response.status_code == expect, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    async def refused(self, method: str, path: str, status: int, **request: Any) -> Any:
        """One call that is refused with a problem of this status; the problem."""
        response = await self.ask(method, path, **request)
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        assert response.headers["Content-Type"] == "application/problem+json"
        problem = response.json()
        assert problem["status"] == status
        assert problem["code"]
        assert "Value error" not in response.text, "words for people have no names of classes"
        return problem

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    async def key_of(self, role: str) -> str:
        made = await self.call("POST", "/api-keys", json={"name": role, "role": role}, expect=201)
        return str(made["key"])

    async def contact(self, **values: Any) -> Any:
        body = {"email": f"person-{self.number()}@{self.tenant_id.hex[-8:]}.example", **values}
        return await self.call("POST", "/contacts", json=body, expect=201)

    async def sender(self, **values: Any) -> Any:
        body = {
            "name": f"sender {self.number()}",
            "from_email": "hello@ours.example",
            "host": "mail.example",
            "port": 587,
            **values,
        }
        return await self.call("POST", "/senders", json=body, expect=201)

    async def template(self, **values: Any) -> Any:
        body = {"name": f"template {self.number()}", "subject": "Hello", "html": HTML, **values}
        return await self.call("POST", "/templates", json=body, expect=201)

    async def draft(self, *, steps: int | list[dict[str, Any]] = 1, delay: str = "1d", **values: Any) -> Any:
        """A sequence that is not active."""
        sender_id = values.pop("sender_id", None) or (await self.sender())["id"]
        if isinstance(steps, int):
            template_id = (await self.template())["id"]
            steps = [{"template_id": template_id, "delay": delay} for _ in range(steps)]
        body = {
            "name": f"sequence {self.number()}",
            "sender_id": sender_id,
            "steps": steps,
            **values,
        }
        return await self.call("POST", "/sequences", json=body, expect=201)

    async def sequence(self, **values: Any) -> Any:
        """A sequence that is active."""
        drafted = await self.draft(**values)
        return await self.call("POST", f"/sequences/{drafted['id']}/activate")

    async def enroll(self, sequence_id: str, *contact_ids: str) -> list[Any]:
        answer = await self.call("POST", f"/sequences/{sequence_id}/enrollments", json={"contact_ids": contact_ids})
        results: list[Any] = answer["results"]
        return results

    async def enrolled(self, *, sequence: Any = None, contact: Any = None) -> "Enrolled":
        """A contact enrolled in an active sequence, not yet taken up by a scheduler."""
        sequence = sequence or await self.sequence()
        contact = contact or await self.contact()
        [result] = await self.enroll(sequence["id"], contact["id"])
        assert result["result"] == "enrolled"
        return Enrolled(self, sequence, contact, UUID(result["enrollment_id"]))

    async def import_(self, text: str | bytes, **query: Any) -> "Imported":
        """Import a file and wait for the end of the job; it must complete."""
        job = await self.call("POST", "/contacts/import", **csv_of(text), params=query, expect=202)
        return await self.until_imported(job["id"])

    async def until_imported(self, job_id: str) -> "Imported":
        job = await self.until_ended(job_id)
        assert job["state"] == "completed", job
        report = await self.ask("GET", f"/jobs/{job_id}/report", headers={"Accept": "application/x-ndjson"})
        return Imported(job, [json.loads(line) for line in report.text.splitlines()])

    async def until_ended(self, job_id: str, *, timeout: float = 60) -> Any:
        """The job, once it has ended."""
        last: dict[str, Any] = {}

        async def has_ended() -> bool:
            last.update(await self.call("GET", f"/jobs/{job_id}"))
            return last["ended_at"] is not None

        await eventually(has_ended, timeout=timeout, reason=f"the end of job {job_id}")
        return last

    async def reopen(self, enrollment_id: UUID) -> Any:
        return await self.call("GET", f"/enrollments/{enrollment_id}")


def csv_of(text: str | bytes) -> dict[str, Any]:
    """A CSV file as a request's body."""
    return {"content": text.encode() if isinstance(text, str) else text, "headers": {"Content-Type": "text/csv"}}


@dataclass(frozen=True)
class Imported:
    """A job that has imported a file, and the rows of its report."""

    job: Any
    report: list[dict[str, Any]]

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Created, updated, unchanged, rejected."""
        counts = self.job["counts"]
        created, updated, unchanged, rejected = (
            counts.get(n, 0) for n in ("created", "updated", "unchanged", "rejected")
        )
        return created, updated, unchanged, rejected

    def notes(self, result: str) -> list[tuple[int, str | None]]:
        """Line and field of the report's rows with this result."""
        return [(row["line"], row["field"]) for row in self.report if row["result"] == result]


@dataclass
class Enrolled:
    """An enrollment, with what scheduler and sender would write of it."""

    tenant: Tenant
    sequence: Any
    contact: Any
    enrollment_id: UUID

    @property
    def path(self) -> str:
        return f"/enrollments/{self.enrollment_id}"

    async def insert(self, table: str, **values: Any) -> None:
        """A row of the tenant, as an administrator."""
        row = {"tenant_id": self.tenant.tenant_id, **values}
        places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
        await self.tenant.admin.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())

    async def now(self, shift: str = "0 s") -> Any:
        return await self.tenant.admin.fetchval("SELECT postroad.now() + $1::text::interval", shift)

    async def taken_up(self, **values: Any) -> None:
        """Progress as the scheduler writes it: waiting for the first step, due in an hour, decided just now."""
        now, due = await self.now(), await self.now("1 hour")
        emitted = int(values.get("phase") in {"claimed", "in_flight"})
        reasons = [{"kind": "delay_after", "delay": 3600.0, "previous": None, "anchor_at": now.isoformat()}]
        row = {
            "enrollment_id": self.enrollment_id,
            "sequence_id": UUID(self.sequence["id"]),
            "version": self.sequence["version"],
            "contact_id": UUID(self.contact["id"]),
            "sender_id": UUID(self.sequence["sender_id"]),
            "state": "active",
            "phase": "waiting",
            "step_number": 1,
            "step_key": "step-1",
            "attempt": emitted,
            "emissions": emitted,
            "anchor_at": now,
            "next_due_at": due,
            "send_before": await self.now("1 day"),
            "wake_at": due,
            "reason": json.dumps(reasons),
            "started_at": now,
            **values,
        }
        await self.insert("schedule.progress", **row)
        await self.decided("send", due_at=row["next_due_at"], reasons=json.dumps(reasons))

    async def decided(self, outcome: str, **values: Any) -> None:
        row = {
            "enrollment_id": self.enrollment_id,
            "step_key": "step-1",
            "attempt": 0,
            "outcome": outcome,
            "reasons": "[]",
            "inputs_hash": b"hash",
            **values,
        }
        await self.insert("schedule.decisions", **row)

    async def ended(self, state: str = "completed") -> None:
        """The scheduler ended it and freed its slot."""
        progress = await self.tenant.admin.fetchval(
            "SELECT count(*) FROM schedule.progress WHERE enrollment_id = $1", self.enrollment_id
        )
        if not progress:
            await self.taken_up()
        await self.tenant.admin.execute(
            f"UPDATE schedule.progress SET state = $2, phase = 'ended', wake_at = NULL, {state}_at = postroad.now()"
            " WHERE enrollment_id = $1",
            self.enrollment_id,
            state,
        )
        await self.tenant.admin.execute(
            "DELETE FROM sequence.active_slots WHERE enrollment_id = $1", self.enrollment_id
        )

    async def message(self, state: str = "accepted", *, answered: bool = False, **values: Any) -> UUID:
        """The ledger row of its first step, with the attempt that was answered if it was; its id."""
        await self.tenant.admin.execute(
            "INSERT INTO delivery.incarnations (incarnation_id, host, pid, expires_at)"
            " VALUES ($1, 'here', 1, postroad.now() + interval '1 hour') ON CONFLICT DO NOTHING",
            self.tenant.incarnation_id,
        )
        now = await self.now()
        step_key = values.get("step_key", "step-1")
        message_id = message_id_for(self.tenant.tenant_id, self.enrollment_id, step_key)
        row = {
            "enrollment_id": self.enrollment_id,
            "step_key": step_key,
            "message_id": message_id,
            "state": state,
            "attempt": 1,
            "incarnation_id": self.tenant.incarnation_id,
            "sequence_id": UUID(self.sequence["id"]),
            "version": self.sequence["version"],
            "step_number": 1,
            "contact_id": UUID(self.contact["id"]),
            "sender_id": UUID(self.sequence["sender_id"]),
            "recipient": self.contact["email"],
            "subject": "Hello",
            "rfc_message_id": f"<{message_id}@ours.example>",
            "due_at": now,
            "transmitting_at": now,
            "gated_at": None if state == "transmitting" else now,
            "settled_at": None if state == "transmitting" else now,
            **values,
        }
        await self.insert("delivery.messages", **row)
        if answered:
            await self.attempt(state, step_key=step_key)
        return message_id

    async def source(self, message_id: UUID, content: bytes = SOURCE, attempt: int = 1) -> None:
        """The message as the sender keeps it."""
        row = {"attempt": attempt, "made_at": await self.now(), "source": compressed(content)}
        await self.insert("delivery.message_sources", message_id=message_id, **row)

    async def attempt(self, outcome: str = "accepted", **values: Any) -> None:
        now = await self.now()
        row = {
            "enrollment_id": self.enrollment_id,
            "step_key": "step-1",
            "attempt": 1,
            "incarnation_id": self.tenant.incarnation_id,
            "outcome": outcome,
            "transmitting_at": now,
            "gated_at": now,
            "settled_at": now,
            **values,
        }
        await self.insert("delivery.attempts", **row)

    async def sent(self) -> UUID:
        """Due an hour ago, sent now: decision, ledger and attempt agree."""
        await self.taken_up(next_due_at=await self.now("-1 hour"))
        message_id = await self.message()
        await self.attempt()
        return message_id

    async def event(self, type_: str, message_id: UUID | None = None, **values: Any) -> UUID:
        now, event_id = await self.now(), new_id()
        row = {
            "event_id": event_id,
            "received_at": now,
            "occurred_at": now,
            "type": type_,
            "source": "pixel",
            "message_id": message_id or message_id_for(self.tenant.tenant_id, self.enrollment_id, "step-1"),
            "enrollment_id": self.enrollment_id,
            "contact_id": UUID(self.contact["id"]),
            "sequence_id": UUID(self.sequence["id"]),
            "step_key": "step-1",
            **values,
        }
        await self.insert("tracking.events", **row)
        await self.insert("tracking.event_keys", key=f"key-{event_id}", event_id=event_id)
        return event_id

    async def stopped(self, kind: str, **values: Any) -> UUID:
        """A stop as the tracker writes and acknowledges it."""
        now, stop_id = await self.now(), new_id()
        by_address = {} if kind == "replied" else {"email": self.contact["email"]}
        row = {
            "stop_id": stop_id,
            "kind": kind,
            "event_id": new_id(),
            "enrollment_id": self.enrollment_id,
            "contact_id": UUID(self.contact["id"]),
            "created_at": now,
            "acknowledged_at": now,
            **by_address,
            **values,
        }
        await self.insert("tracking.stops", **row)
        return stop_id


@dataclass
class Listener:
    """The messages of one tenant as they were published."""

    tenant_id: str
    heard: list[tuple[str, Any, str | None]] = field(default_factory=list)

    async def take(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        body = json.loads(message.body)
        if body["tenant_id"] == self.tenant_id:
            traceparent = message.headers.get("traceparent")
            self.heard.append((message.type or "", body, str(traceparent) if traceparent else None))

    async def received(self, type_: str, count: int) -> list[Any]:
        """The bodies of this type, once there are so many."""

        def bodies() -> list[Any]:
            return [body for heard, body, _ in self.heard if heard == type_]

        await eventually(lambda: len(bodies()) >= count, timeout=10, reason=f"{count} x {type_}")
        assert len(bodies()) == count
        return bodies()


CreateTenant = Callable[..., Coroutine[Any, Any, Tenant]]


async def new_tenant(api: Api, admin: asyncpg.Connection, name: str = "Acme") -> Tenant:
    """A tenant through the API."""
    response = await api.ask("POST", "/tenants", key=OPERATOR_TOKEN, json={"name": name})
    assert response.status_code == 201, response.text
    made = response.json()
    return Tenant(api, admin, UUID(made["tenant"]["id"]), made["api_key"]["key"])


@asynccontextmanager
async def held(tenant: Tenant, email: str) -> AsyncIterator[None]:
    """Whoever would write this contact waits meanwhile, for at most 10 s: an import, and its process's other jobs."""
    lock = "SELECT contact_id FROM sequence.contacts WHERE tenant_id = $1 AND email = $2 FOR UPDATE"
    async with tenant.admin.transaction():
        assert await tenant.admin.fetchval(lock, tenant.tenant_id, email)
        yield


async def until_somebody_waits(tenant: Tenant) -> None:
    """For what the tenant's administrator holds."""
    waiting = (
        "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
    )
    await eventually(lambda: tenant.admin.fetchval(waiting), timeout=60, reason="somebody waits")


async def in_pages(tenant: Tenant, path: str) -> list[Any]:
    """All items of a list, read one at a time."""
    items: list[Any] = []
    after: dict[str, str] = {}
    while True:
        page = await tenant.call("GET", path, params={"limit": 1, **after})
        items += page["items"]
        if page["next"] is None:
            return items
        after = {"after": page["next"]}
