"""A tenant of any size, made by statements: what a year of imports and enrollments leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from postroad_common.ids import new_id

_REST = (
    "INSERT INTO sequence.templates (tenant_id, template_id, name) VALUES ($1, $2, 'bench')",
    """INSERT INTO sequence.template_versions (tenant_id, template_id, version, subject, html, text)
       VALUES ($1, $2, 1, 'Hello', '<p>Hello</p>', 'Hello')""",
    """INSERT INTO sequence.senders (tenant_id, sender_id, name, from_email, host, port)
       VALUES ($1, $2, 'bench', 'a@bench.example', 'mail.bench.example', 25)""",
    "INSERT INTO sequence.sequences (tenant_id, sequence_id, name) VALUES ($1, $2, 'bench')",
)
_CONTACTS = """
INSERT INTO sequence.contacts (tenant_id, contact_id, email, first_name, last_name, company, attributes, created_at)
SELECT $1, (lpad(to_hex(1763000000000 + n), 12, '0') || '7000' || '8000' || lpad(to_hex(n), 12, '0'))::uuid,
       'person-' || n || '@bench.example', 'Ada ' || n, 'Lovelace', 'Company ' || n % 20000,
       jsonb_build_object('plan', (ARRAY['free', 'pro', 'team'])[1 + n % 3], 'seats', n % 500, 'number', 'N' || n),
       now() - make_interval(mins => (n % 500000)::integer)
FROM generate_series($2::bigint, $3::bigint) AS n
"""
_ENROLLMENTS = """
INSERT INTO sequence.enrollments (tenant_id, enrollment_id, sequence_id, version, contact_id)
SELECT $1, gen_random_uuid(), $2, 1, contact_id FROM sequence.contacts WHERE tenant_id = $1
"""
_PROGRESS = """
INSERT INTO schedule.progress
    (tenant_id, enrollment_id, sequence_id, version, contact_id, sender_id, state, phase, step_number, step_key,
     anchor_at, next_due_at, send_before, wake_at, reason, started_at)
SELECT $1, e.enrollment_id, e.sequence_id, 1, e.contact_id, $2, 'active', 'waiting', 1, 'step-1',
       now(), e.due_at, e.due_at + interval '7 days', e.due_at, '[]', now()
FROM (SELECT *, now() + interval '1 hour' + random() * interval '30 days' AS due_at
      FROM sequence.enrollments WHERE tenant_id = $1) AS e
"""


@dataclass(frozen=True)
class Population:
    """A tenant with an active sequence of one step."""

    tenant_id: UUID
    sequence_id: UUID
    sender_id: UUID
    template_id: UUID


async def make_tenant(admin: asyncpg.Connection) -> Population:
    """The tenant, its template, sender and active sequence."""
    made = Population(new_id(), new_id(), new_id(), new_id())
    await admin.execute("INSERT INTO sequence.tenants (tenant_id, name) VALUES ($1, 'Bench')", made.tenant_id)
    ids = (made.template_id, made.template_id, made.sender_id, made.sequence_id)
    for statement, id_ in zip(_REST, ids, strict=True):
        await admin.execute(statement, made.tenant_id, id_)
    version = (made.tenant_id, made.sequence_id)
    await admin.execute(
        "INSERT INTO sequence.sequence_versions (tenant_id, sequence_id, version, sender_id) VALUES ($1, $2, 1, $3)",
        *version,
        made.sender_id,
    )
    await admin.execute(
        "INSERT INTO sequence.steps (tenant_id, sequence_id, version, number, step_key, kind, delay_seconds, "
        "template_id, template_version) VALUES ($1, $2, 1, 1, 'step-1', 'email', 0, $3, 1)",
        *version,
        made.template_id,
    )
    await admin.execute(
        "UPDATE sequence.sequence_versions SET activated_at = now() WHERE tenant_id = $1 AND sequence_id = $2", *version
    )
    await admin.execute(
        "UPDATE sequence.sequences SET state = 'active', active_version = 1 WHERE tenant_id = $1 AND sequence_id = $2",
        *version,
    )
    return made


async def add_contacts(admin: asyncpg.Connection, tenant_id: UUID, count: int) -> None:
    """Contacts 1 to count."""
    await admin.execute(_CONTACTS, tenant_id, 1, count, timeout=900)
    await admin.execute("VACUUM ANALYZE sequence.contacts", timeout=900)


async def enroll_waiting(admin: asyncpg.Connection, made: Population) -> None:
    """All contacts on their way, each waiting for a time of the next month."""
    await admin.execute(_ENROLLMENTS, made.tenant_id, made.sequence_id, timeout=900)
    await admin.execute(_PROGRESS, made.tenant_id, made.sender_id, timeout=900)
    await admin.execute("VACUUM ANALYZE sequence.enrollments, schedule.progress", timeout=900)
