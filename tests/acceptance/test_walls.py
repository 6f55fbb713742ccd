"""Promise 5 after real runs of two tenants: every relation, queue, token and webhook, each with its positive control.

The endpoints' walls are in tests/integration/sequence_api; the catalogue's in tests/architecture.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import aio_pika
import asyncpg
import pytest
import pytest_asyncio

from postroad_common.contracts import ContactRepliedV1, Signal, StepDue, StepsDueV1
from postroad_common.contracts.base import Message
from postroad_common.ids import new_id, pack_ref
from postroad_stack.eventually import eventually
from postroad_stack.fake_esps import FakePostmark
from postroad_stack.services import Services
from postroad_stack.smtp_server import Accepted, SmtpServer
from tests.acceptance.world import World, new_world, part
from tests.http import http_client

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROLES = ("postroad_sequence_api", "postroad_scheduler", "postroad_sender", "postroad_tracker")
POSTMARK = FakePostmark("postmark", "walls-secret-of-32-characters-abc")


@dataclass(frozen=True)
class Two:
    """Two tenants that have both run a sequence with opens, clicks and a reply."""

    a: World
    b: World
    sequence_a: str
    enrollment_a: str
    contact_a: str
    services: Services


async def live(world: World, name: str) -> tuple[str, str, str]:
    """Run a sequence so that every kind of row exists; returns sequence, enrollment and contact."""
    email = f"{name}@walls.example"
    contacts = await world.add_contacts([email])
    sequence_id = await world.add_sequence(name, steps=2, delay="1h")
    enrolled = await world.enroll(sequence_id, list(contacts.values()))

    def arrived() -> Accepted | None:
        return next((m for m in world.smtp.accepted() if m.recipient == email), None)

    mail = await eventually(arrived, timeout=20)
    async with http_client() as recipient:
        link = re.search(r'href="([^"]+/c/[^"]+)"', part(mail, "html"))
        pixel = re.search(r'src="([^"]+/o/[^"]+)"', part(mail, "html"))
        assert link
        assert pixel
        assert (await recipient.get(pixel[1])).status_code == 200
        assert (await recipient.get(link[1])).status_code == 302
    return sequence_id, enrolled[contacts[email]], contacts[email]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two(acceptance_services: tuple[Services, SmtpServer, str]) -> AsyncIterator[Two]:
    services, smtp, admin_dsn = acceptance_services
    async with (
        new_world(services, smtp, admin_dsn, name="Wall A") as a,
        new_world(services, smtp, admin_dsn, name="Wall B") as b,
    ):
        sequence_a, enrollment_a, contact_a = await live(a, "walla")
        await live(b, "wallb")
        yield Two(a, b, sequence_a, enrollment_a, contact_a, services)


async def relations(admin: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    """Every table, partition and view that has a tenant."""
    rows = await admin.fetch(
        "SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE a.attname = 'tenant_id' AND c.relkind IN ('r', 'p', 'v')"
        " AND c.relnamespace::regnamespace::text = ANY('{sequence,schedule,delivery,tracking,views}') ORDER BY 1"
    )
    return [row["name"] for row in rows]


@pytest.mark.parametrize("role", ROLES)
async def test_no_relation_shows_a_role_another_tenants_rows(two: Two, role: str) -> None:
    connection = await asyncpg.connect(two.services.role_dsn(role))
    seen_own: set[str] = set()
    try:
        for name in await relations(two.a.admin):
            if not await two.a.admin.fetchval("SELECT has_table_privilege($1, $2, 'SELECT')", role, name):
                continue
            async with connection.transaction():
                await connection.execute(f"SET LOCAL app.tenants = '{two.b.tenant_id}'")
                tenants = {row[0] for row in await connection.fetch(f"SELECT DISTINCT tenant_id FROM {name}")}
                aimed = await connection.fetchval(f"SELECT count(*) FROM {name} WHERE tenant_id = $1", two.a.tenant_id)
            assert tenants <= {two.b.tenant_id}, f"{role} sees another tenant's rows in {name}"
            assert aimed == 0
            seen_own |= {name} if tenants else set()
            async with connection.transaction():
                assert await connection.fetchval(f"SELECT count(*) FROM {name}") == 0, f"{name} without a tenant set"
    finally:
        await connection.close()
    assert len(seen_own) >= 5, f"the positive control: {role} sees its own tenant's rows in {seen_own}"


async def test_a_partition_named_directly_is_behind_the_wall_too(two: Two) -> None:
    partitions = [name for name in await relations(two.a.admin) if re.match(r"tracking\.events_\d", name)]
    assert partitions
    for name in partitions:
        walled = await two.a.admin.fetchrow(
            "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = $1::text::regclass", name
        )
        assert walled is not None
        assert tuple(walled) == (True, True), name


async def made_by_the_database(admin: asyncpg.Connection, relation: str) -> set[str]:
    """The columns of a relation that nobody writes: generated ones, and identities."""
    rows = await admin.fetch(
        "SELECT attname FROM pg_attribute "
        "WHERE attrelid = $1::regclass AND attnum > 0 AND (attgenerated <> '' OR attidentity = 'a')",
        relation,
    )
    return {row["attname"] for row in rows}


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_can_write_a_row_of_another_tenant(two: Two, role: str) -> None:
    connection = await asyncpg.connect(two.services.role_dsn(role))
    tried = 0
    try:
        for name in await relations(two.a.admin):
            writable = await two.a.admin.fetchval("SELECT has_table_privilege($1, $2, 'INSERT')", role, name)
            own = await two.a.admin.fetchrow(f"SELECT t.* FROM {name} t WHERE tenant_id = $1 LIMIT 1", two.a.tenant_id)
            if not writable or own is None:
                continue
            tried += 1
            with pytest.raises(asyncpg.PostgresError) as refused:
                async with connection.transaction():
                    await connection.execute(f"SET LOCAL app.tenants = '{two.b.tenant_id}'")
                    made = await made_by_the_database(two.a.admin, name)
                    columns = [c for c in own.keys() if c not in made]  # noqa: SIM118 -- a Record iterates values
                    places = ", ".join(f"${n}" for n in range(1, len(columns) + 1))
                    await connection.execute(
                        f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({places})", *(own[c] for c in columns)
                    )
            assert "row-level security" in str(refused.value), f"{name}: {refused.value}"
    finally:
        await connection.close()
    assert tried >= 1


async def publish(services: Services, message: Message) -> None:
    """Put a message on the exchange as a service that was taken over would."""
    connection = await aio_pika.connect(services.amqp_url)
    async with connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange("postroad")
        await exchange.publish(
            aio_pika.Message(message.to_bytes(), type=message.type, message_id=str(new_id())), routing_key=message.type
        )


async def test_a_due_message_that_names_another_tenants_enrollment_sends_nothing(two: Two) -> None:
    before = len(two.a.smtp.accepted())
    now = datetime.now(UTC)
    item = StepDue(
        enrollment_id=UUID(two.enrollment_a),
        contact_id=UUID(two.contact_a),
        sequence_id=UUID(two.sequence_a),
        version=1,
        step_key="step-2",
        step_number=2,
        attempt=1,
        due_at=now,
        send_before=now + timedelta(hours=1),
    )
    message = StepsDueV1(tenant_id=two.b.tenant_id, sender_id=UUID(two.b.sender_id), items=(item,))
    await publish(two.services, message)
    control = await two.b.add_contacts(["control@walls.example"])
    sequence_id = await two.b.add_sequence("control", steps=1)
    await two.b.enroll(sequence_id, list(control.values()))
    await two.b.until_ended(sequence_id, timeout=30)
    accepted = two.a.smtp.accepted()[before:]
    assert [mail.recipient for mail in accepted] == ["control@walls.example"]


async def test_a_signal_that_names_another_tenants_enrollment_ends_nothing(two: Two) -> None:
    own = await two.b.admin.fetchrow(
        "SELECT enrollment_id, contact_id FROM schedule.progress WHERE tenant_id = $1 AND phase <> 'ended' LIMIT 1",
        two.b.tenant_id,
    )
    assert own is not None
    await publish(two.services, replied(two.b.tenant_id, UUID(two.enrollment_a), UUID(two.contact_a)))
    await publish(two.services, replied(two.b.tenant_id, own["enrollment_id"], own["contact_id"]))
    await eventually(lambda: state_is(two.b, str(own["enrollment_id"]), "replied"), timeout=20)
    assert await state_is(two.a, two.enrollment_a, "active")


def replied(tenant_id: UUID, enrollment_id: UUID, contact_id: UUID) -> ContactRepliedV1:
    """The signal that ends an enrollment."""
    signal = Signal(
        event_id=new_id(), occurred_at=datetime.now(UTC), enrollment_id=enrollment_id, contact_id=contact_id
    )
    return ContactRepliedV1(tenant_id=tenant_id, items=(signal,))


async def test_a_webhook_at_one_tenants_source_cannot_touch_anothers_message(two: Two) -> None:
    credentials = [{"username": POSTMARK.username, "password": POSTMARK.password}]
    source = {"name": "walls", "esp": "postmark", "credentials": credentials}
    at_b = (await two.b.call("POST", "/webhook-sources", json=source))["url"]
    row = await two.a.admin.fetchrow(
        "SELECT message_id, recipient FROM delivery.messages WHERE enrollment_id = $1", UUID(two.enrollment_a)
    )
    assert row is not None
    bounce = POSTMARK.bounce(email=row["recipient"], ref=pack_ref(two.a.tenant_id, row["message_id"]))
    request = POSTMARK.request(bounce)
    async with http_client() as provider:
        await provider.post(at_b, content=request.body, headers=dict(request.headers))
    stops = "SELECT count(*) FROM tracking.stops WHERE tenant_id = $1 OR enrollment_id = $2"
    assert await two.a.admin.fetchval(stops, two.a.tenant_id, UUID(two.enrollment_a)) == 0

    at_a = (await two.a.call("POST", "/webhook-sources", json=source))["url"]
    async with http_client() as provider:
        response = await provider.post(at_a, content=request.body, headers=dict(request.headers))
    assert response.status_code == 200
    await eventually(lambda: state_is(two.a, two.enrollment_a, "bounced"), timeout=20)


async def state_is(world: World, enrollment_id: str, state: str) -> bool:
    """Whether the tenant's enrollment has come to that state."""
    return bool((await world.call("GET", f"/enrollments/{enrollment_id}"))["state"] == state)
