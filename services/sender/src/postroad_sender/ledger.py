"""The ledger: one row per enrollment and step, and the permit to transmit. Every change is one guarded statement."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import TypeVar
from uuid import UUID

import orjson
from asyncpg import Pool, Record

from postroad_common.db import AnyConnection, queries
from postroad_engine.facts import Outcome
from postroad_engine.gate import Disposition, Go, Stop, gate
from postroad_engine.reasons import Reason
from postroad_sender.batching import Batcher
from postroad_sender.held import HeldConnection
from postroad_sender.incarnation import Incarnation
from postroad_sender.items import Due, Key, Result, Seen, Settled, TryLater
from postroad_sender.smtp.classify import Judgement
from postroad_sender.sources import compressed

if __debug__:
    from postroad_common.faults import reach

LEDGER = queries("postroad_sender", "ledger")
LARGEST_BATCH = 500

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rendered message that wants the permit. `template` is its id and version, `content` what goes over the wire."""

    due: Due
    recipient: str
    subject: str
    rfc_message_id: str
    template: tuple[UUID, int]
    content: bytes


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to transmit one message now: the row is ours and the gate said yes at `gated_at`."""

    due: Due
    incarnation_id: UUID
    gated_at: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a permit: the outcome of an attempt, to be recorded."""

    permit: Permit
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Unsent:
    """An attempt that ends without a permit: held, cancelled, or unknown since `settled_at`. None: now."""

    due: Due
    outcome: Outcome
    reasons: tuple[Reason, ...]
    recipient: str
    rfc_message_id: str
    settled_at: datetime | None = None


LATE = {
    Outcome.ACCEPTED: "accepted",
    Outcome.REFUSED: "refused",
    Outcome.DEFERRED: "refused",
    Outcome.HELD: "cancelled",
    Outcome.CANCELLED: "cancelled",
}
"""What a late answer makes of a row that was judged unknown meanwhile: final, since the sequence went on."""


class Ledger:
    """Claims, looks and settles in batches, each kind on a connection of its own.

    With keeps_sources, what goes over the wire is kept from the claim on.
    """

    def __init__(self, pool: Pool, incarnation: Incarnation, *, linger: float, keeps_sources: bool) -> None:
        self._keeps_sources = keeps_sources
        self._pool = pool
        self._incarnation = incarnation
        self._permitted = 0
        self._admissions = Batcher("admissions", pool, self._admit, largest=LARGEST_BATCH)
        self._findings = Batcher(
            "findings", pool, self._settle, largest=LARGEST_BATCH, linger=linger, expected=lambda: self._permitted
        )
        self._unsent = Batcher("unsent", pool, self._record_unsent, largest=LARGEST_BATCH)

    async def run(self) -> None:
        """Flush for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._admissions.run())
            tasks.create_task(self._findings.run())
            tasks.create_task(self._unsent.run())

    async def admit(self, candidates: Sequence[Candidate]) -> Sequence[Permit | Result]:
        """Claim, then look: a permit to send, or what became of the item instead."""
        admitted = await self._admissions.submit(candidates)
        self._permitted += sum(isinstance(answer, Permit) for answer in admitted)
        return admitted

    async def settle(self, finding: Finding) -> Result:
        """Record what became of a permit; returns when it is durable."""
        try:
            return (await self._findings.submit((finding,)))[0]
        finally:
            self._permitted -= 1

    async def record_unsent(self, entries: Sequence[Unsent]) -> Sequence[Result]:
        """Record that attempts end without having touched the wire."""
        return await self._unsent.submit(entries)

    # Each flush runs again after a lost connection: all of them find what they have already done.

    async def _admit(self, held: HeldConnection, candidates: Sequence[Candidate]) -> Sequence[Permit | Result]:
        incarnation_id = await self._incarnation.live()
        conn = await held.seeing(candidate.due.tenant_id for candidate in candidates)
        kept = candidates if self._keeps_sources else ()
        await conn.execute(
            LEDGER.claim,
            incarnation_id,
            as_json(map(_claim_row, candidates)),
            [candidate.due.message_id for candidate in kept],
            [compressed(candidate.content) for candidate in kept],
        )
        if __debug__:
            reach("sender.claimed")
        # A statement of its own, after the commit: it sees every stop that did not see the claim.
        seen = await look(conn, [(entry.due, entry.recipient) for entry in candidates], incarnation_id)
        decided = [decide(entry.due, at, incarnation_id) for entry, at in zip(candidates, seen, strict=True)]
        stopped = [entry for entry in decided if isinstance(entry, Finding)]
        settled = iter(await self._settle(held, stopped) if stopped else ())
        return [next(settled) if isinstance(entry, Finding) else entry for entry in decided]

    async def _settle(self, held: HeldConnection, findings: Sequence[Finding]) -> Sequence[Result]:
        conn = await held.seeing(finding.permit.due.tenant_id for finding in findings)
        rows = await conn.fetch(LEDGER.settle, as_json(map(_finding_row, count(), findings)))
        written = {row["place"]: row for row in rows}
        return [_settled(finding, written.get(place)) for place, finding in enumerate(findings)]

    async def _record_unsent(self, held: HeldConnection, entries: Sequence[Unsent]) -> Sequence[Result]:
        conn = await held.seeing(entry.due.tenant_id for entry in entries)
        written = by_key(await conn.fetch(LEDGER.record_unsent, as_json(map(_unsent_row, entries))))
        others = [entry for entry in entries if entry.due.key not in written]
        seen = iter(await look(conn, [(entry.due, None) for entry in others]) if others else ())
        return [_recorded(entry, written.get(entry.due.key), seen) for entry in entries]


def decide(due: Due, seen: Seen, incarnation_id: UUID) -> Permit | Finding | Result:
    """What the look after the claim says: go, stop (to be recorded), or what others made of the row."""
    if not seen.is_ours(due, incarnation_id):
        return seen.known(due) or TryLater("the heartbeat of this process had expired")
    permit = Permit(due, incarnation_id, seen.now)
    match gate(seen.gate_facts(due, row_is_ours=True, incarnation_live=seen.row["incarnation_live"])):
        case Go():
            return permit
        case Stop(reason, Disposition.CANCELLED):
            return Finding(permit, Judgement(Outcome.CANCELLED, (reason,)))
        case Stop(reason, _):  # what may have been sent before a restore comes back, and the first look says so
            return Finding(permit, Judgement(Outcome.HELD, (reason,)))


def _settled(finding: Finding, row: Record | None) -> Result:
    if row is None:
        return TryLater("another process has settled it")
    judgement = finding.judgement
    return Settled(
        Outcome(row["state"]),
        row["settled_at"],
        [reason.to_json() for reason in judgement.reasons],
        judgement.bounce_type,
        judgement.retry_after,
    )


def _recorded(entry: Unsent, row: Record | None, others: Iterator[Seen]) -> Result:
    if row is None:
        return next(others).known(entry.due) or TryLater("another process is at it")
    return Settled(entry.outcome, row["settled_at"], [reason.to_json() for reason in entry.reasons])


async def look(
    conn: AnyConnection, items: Sequence[tuple[Due, str | None]], incarnation_id: UUID | None = None
) -> list[Seen]:
    """Look at items, each with its recipient if that is known already; as this process if it has an incarnation."""
    rows = await conn.fetch(
        LEDGER.look, as_json(_look_row(place, *item) for place, item in enumerate(items)), incarnation_id
    )
    return [Seen(row) for row in rows]


def by_key(rows: Iterable[Record]) -> dict[Key, Record]:
    """Rows by what the ledger is unique on."""
    return {(row["tenant_id"], row["enrollment_id"], row["step_key"]): row for row in rows}


def as_json(rows: Iterable[Mapping[str, object]]) -> str:
    """Rows as the one JSON parameter of a statement: an array for each column takes asyncpg much longer."""
    return orjson.dumps(list(rows), default=str).decode()  # str: for the UUIDs that asyncpg makes


def as_values(reasons: Iterable[Reason]) -> list[dict[str, object]]:
    """Reasons as they are stored."""
    return [reason.to_json() for reason in reasons]


def _look_row(place: int, due: Due, recipient: str | None) -> dict[str, object]:
    item = due.item
    return {
        "place": place,
        "tenant_id": due.tenant_id,
        "enrollment_id": item.enrollment_id,
        "step_key": item.step_key,
        "attempt": item.attempt,
        "contact_id": item.contact_id,
        "sequence_id": item.sequence_id,
        "sender_id": due.sender_id,
        "recipient": recipient,
    }


def _ledger_row(due: Due) -> dict[str, object]:
    item = due.item
    return {
        "tenant_id": due.tenant_id,
        "enrollment_id": item.enrollment_id,
        "step_key": item.step_key,
        "message_id": due.message_id,
        "attempt": item.attempt,
        "sequence_id": item.sequence_id,
        "version": item.version,
        "step_number": item.step_number,
        "contact_id": item.contact_id,
        "sender_id": due.sender_id,
        "due_at": item.due_at,
    }


def _claim_row(entry: Candidate) -> dict[str, object]:
    row = _ledger_row(entry.due)
    row["template_id"], row["template_version"] = entry.template
    row["recipient"] = entry.recipient
    row["subject"] = entry.subject
    row["rfc_message_id"] = entry.rfc_message_id
    return row


def _unsent_row(entry: Unsent) -> dict[str, object]:
    row = _ledger_row(entry.due)
    row["state"] = entry.outcome.value
    row["recipient"] = entry.recipient
    row["rfc_message_id"] = entry.rfc_message_id
    row["settled_at"] = entry.settled_at
    row["reason"] = as_values(entry.reasons)
    return row


def _finding_row(place: int, entry: Finding) -> dict[str, object]:
    permit, judgement, reply = entry.permit, entry.judgement, entry.judgement.reply
    return {
        "place": place,
        "tenant_id": permit.due.tenant_id,
        "enrollment_id": permit.due.item.enrollment_id,
        "step_key": permit.due.item.step_key,
        "attempt": permit.due.item.attempt,
        "incarnation_id": permit.incarnation_id,
        "state": judgement.outcome.value,
        "late_state": LATE.get(judgement.outcome),
        "reason": as_values(judgement.reasons),
        "bounce_type": judgement.bounce_type,
        "reply_code": reply and reply.code,
        "reply_status": reply and reply.status,
        "reply_text": reply and reply.told,
        "provider_message_id": reply and reply.queue_id,
        "gated_at": permit.gated_at,
        "dead_address": judgement.address_is_dead,
    }
