"""Progress rows: read under lock, with what bears on them, and written as decided."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from asyncpg import Record

from postroad_common.contracts import EnrollmentEnded, EnrollmentsEndedV1
from postroad_common.db import AnyConnection, queries
from postroad_common.outbox import enqueue
from postroad_engine.facts import ContactView, Facts, Intent
from postroad_engine.reasons import SequenceState, StopKind
from postroad_scheduler.values import Beginning, Change, Claimed, Key, Progress, Situation

_SQL: Final = queries("postroad_scheduler", "progress")

ENDED_PER_MESSAGE: Final = 500
"""As many as the contract takes."""


async def lock_running(conn: AnyConnection, keys: Sequence[Key]) -> list[Progress]:
    """The rows that have not ended, locked until the transaction ends."""
    rows = await conn.fetch(_SQL.lock_running, *_columns(keys, 2))
    return [Progress(*row) for row in rows]


async def lock_due(conn: AnyConnection, claimed: Sequence[Claimed]) -> list[Progress]:
    """The claimed rows that nobody has changed since, locked until the transaction ends."""
    fenced = [(row.tenant_id, row.enrollment_id, row.fence) for row in claimed]
    rows = await conn.fetch(_SQL.lock_due, *_columns(fenced, 3))
    return [Progress(*row) for row in rows]


async def read_situations(conn: AnyConnection, keys: Sequence[Key]) -> dict[Key, Situation]:
    """What bears on each enrollment now; without those that sequence-api does not know."""
    rows = await conn.fetch(_SQL.read_facts, *_columns(keys, 2))
    return {situation.key: situation for situation in map(_situation, rows)}


async def take_up(conn: AnyConnection, beginnings: Sequence[Beginning], now: datetime) -> list[Key]:
    """Begin; the enrollments that had not begun before. Of those that end at once the others are told."""
    rows = await conn.fetch(_SQL.take_up, *_columns(beginnings, len(Beginning._fields)), now)
    await _tell_ended(conn, rows, now)
    return [(row["tenant_id"], row["enrollment_id"]) for row in rows]


async def apply(conn: AnyConnection, changes: Sequence[Change], now: datetime) -> list[Key]:
    """Write; the enrollments whose row was still as it had been read. Of those that end the others are told."""
    rows = await conn.fetch(_SQL.apply, *_columns(changes, len(Change._fields)), now)
    await _tell_ended(conn, rows, now)
    return [(row["tenant_id"], row["enrollment_id"]) for row in rows]


async def running_of_contacts(conn: AnyConnection, tenant_id: UUID, contacts: Sequence[UUID]) -> list[Key]:
    """The enrollments of these contacts that have not ended."""
    rows = await conn.fetch(_SQL.running_of_contacts, tenant_id, contacts)
    return [(tenant_id, row["enrollment_id"]) for row in rows]


async def _tell_ended(conn: AnyConnection, rows: Iterable[Record], now: datetime) -> None:
    """Put those that ended into the outbox, in the transaction that ends them."""
    ended: dict[UUID, list[EnrollmentEnded]] = defaultdict(list)
    for row in rows:
        if row["phase"] == "ended":
            ended[row["tenant_id"]].append(EnrollmentEnded.model_validate({**row, "ended_at": now}))
    if ended:
        messages = (
            EnrollmentsEndedV1(tenant_id=tenant_id, items=tuple(items[start : start + ENDED_PER_MESSAGE]))
            for tenant_id, items in ended.items()
            for start in range(0, len(items), ENDED_PER_MESSAGE)
        )
        await enqueue(conn, "schedule", messages)


def _columns(rows: Iterable[Sequence[Any]], width: int) -> Sequence[Sequence[Any]]:
    return list(zip(*rows, strict=True)) or [()] * width


def _situation(row: Record) -> Situation:
    return Situation(
        tenant_id=row["tenant_id"],
        enrollment_id=row["enrollment_id"],
        sequence_id=row["sequence_id"],
        version=row["version"],
        contact_id=row["contact_id"],
        traceparent=row["traceparent"],
        created_at=row["created_at"],
        contact=ContactView(row["timezone"]),
        facts=_facts(
            row["intent"],
            row["sequence_state"],
            tuple(row["stops"]),
            row["sender_paused_by_person"],
            row["sender_paused_until"],
            row["tenant_timezone"],
            row["keeps_due_until"],
        ),
        now=row["now"],
    )


@lru_cache(maxsize=1024)  # most rows of a batch share them
def _facts(
    intent: str,
    sequence_state: str,
    stops: tuple[str, ...],
    sender_paused_by_person: bool,  # noqa: FBT001 - as the row has it
    sender_paused_until: datetime | None,
    tenant_timezone: str,
    keeps_due_until: datetime | None,
) -> Facts:
    return Facts(
        intent=Intent(intent),
        sequence_state=SequenceState(sequence_state),
        stops=frozenset(map(StopKind, stops)),
        sender_paused_by_person=sender_paused_by_person,
        sender_paused_until=sender_paused_until,
        tenant_timezone=tenant_timezone,
        keeps_due_until=keeps_due_until,
    )
