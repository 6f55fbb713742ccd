"""Enrollments: begun in bulk, and each paused, resumed or stopped by its intent."""

from collections import Counter
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from asyncpg import Record

from postroad_common.contracts import EnrollmentCreated, EnrollmentsCreatedV1
from postroad_common.db import queries
from postroad_common.ids import new_id
from postroad_common.telemetry import current_traceparent
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import ConflictError, IllegalTransitionError, NotFoundError
from postroad_sequence_api.models.base import Page, page_of
from postroad_sequence_api.models.enrollments import (
    EnrollCounts,
    Enrolled,
    Enrollment,
    EnrollmentPick,
    EnrollNew,
    EnrollResult,
)
from postroad_sequence_api.services import stops
from postroad_sequence_api.services.sequences import ITEMS_PER_MESSAGE, tell_scheduler
from postroad_sequence_api.services.stops import Intent, Pending, Subject

_SQL: Final = queries("postroad_sequence_api", "enrollments")
_SEQUENCES: Final = queries("postroad_sequence_api", "sequences")
_ENDED: Final = frozenset({"completed", "replied", "bounced", "unenrolled", "failed"})


async def enroll(work: Work, sequence_id: UUID, new: EnrollNew) -> Enrolled:
    """Enroll contacts in the active version; a contact that already runs in the sequence is left as it is."""
    version = await open_version(work, sequence_id)
    results: list[EnrollResult] = []
    # In one order, so that two calls with the same contacts wait for each other and do not lock each other out.
    for chunk in _chunks(sorted(set(new.contact_ids))):
        results += await enroll_some(work, sequence_id, version, chunk)
    asked = {contact_id: place for place, contact_id in enumerate(new.contact_ids)}
    results.sort(key=lambda result: asked[result.contact_id])
    return Enrolled(sequence_id=sequence_id, version=version, counts=_counts(results), results=tuple(results))


async def get(work: Work, enrollment_id: UUID) -> Enrollment:
    """An enrollment."""
    row = await work.find(_SQL.enrollments, enrollment_id, None, None, None, None, 1)
    if row is None:
        raise NotFoundError("enrollment")
    return Enrollment.of(row)


async def listed(work: Work, pick: EnrollmentPick) -> Page[Enrollment]:
    """Enrollments, oldest first."""
    rows = await work.all(
        _SQL.enrollments,
        None,
        pick.after,
        pick.sequence_id,
        pick.contact_id,
        pick.state,
        pick.limit + 1,
    )
    return page_of((Enrollment.of(row) for row in rows), pick.limit)


async def pause(work: Work, enrollment_id: UUID) -> Pending:
    """Want that nothing of the enrollment begins until it is resumed."""
    row = await _lock(work, enrollment_id)
    subject = _subject(row)
    if row["intent"] == "pause":
        return await stops.standing(work, subject, "pause")
    await _require_running(work, row, "pause")
    await _set_intent(work, row, "pause")
    return await stops.record(work, subject, "pause")


async def stop(work: Work, enrollment_id: UUID) -> Pending:
    """Want that it ends."""
    row = await _lock(work, enrollment_id)
    subject = _subject(row)
    if row["intent"] == "stop":
        return await stops.standing(work, subject, "stop")
    await _require_running(work, row, "stop")
    await _set_intent(work, row, "stop")
    return await stops.record(work, subject, "stop")


async def resume(work: Work, enrollment_id: UUID) -> Enrollment:
    """Want that it goes on."""
    row = await _lock(work, enrollment_id)
    await _require_running(work, row, "resume")
    if row["intent"] != "pause":
        raise IllegalTransitionError("enrollment", _STATE_OF_INTENT[row["intent"]], "resume")
    await _set_intent(work, row, "run")
    await stops.record(work, _subject(row), "run")
    return await get(work, enrollment_id)


_STATE_OF_INTENT: Final = {"run": "active", "pause": "paused", "stop": "stopped"}


async def open_version(work: Work, sequence_id: UUID) -> int:
    """The version that one enrolls in now; it stays so until the transaction ends.

    Raises NotFoundError, and ConflictError for a sequence that is not active.
    """
    row = await work.find(_SEQUENCES.share_sequence, sequence_id)
    if row is None:
        raise NotFoundError("sequence")
    if row["state"] != "active":
        raise ConflictError(
            "sequence_not_active",
            f"The sequence is {row['state']}: only an active sequence takes enrollments.",
            state=row["state"],
        )
    version: int = row["active_version"]
    return version


async def enroll_some(work: Work, sequence_id: UUID, version: int, ids: Sequence[UUID]) -> list[EnrollResult]:
    """Enroll up to 500 different contacts, whose ids are in order, in a version that is open."""
    traceparent = current_traceparent()
    rows = await work.all(_SQL.enroll, sequence_id, version, ids, [new_id() for _ in ids], traceparent)
    items = tuple(
        EnrollmentCreated(enrollment_id=row["enrollment_id"], contact_id=row["contact_id"], traceparent=traceparent)
        for row in rows
        if row["enrollment_id"] is not None
    )
    if items:
        await work.say(
            EnrollmentsCreatedV1(tenant_id=work.tenant_id, sequence_id=sequence_id, version=version, items=items)
        )
    return await _results(work, sequence_id, ids, rows)


async def _results(work: Work, sequence_id: UUID, ids: Sequence[UUID], rows: Sequence[Record]) -> list[EnrollResult]:
    found = {row["contact_id"]: row for row in rows}
    active = [row["contact_id"] for row in rows if row["result"] == "already_active"]
    held = await work.all(_SQL.holders_of_slots, sequence_id, active) if active else ()
    holder = {row["contact_id"]: row["enrollment_id"] for row in held}
    return [
        EnrollResult(
            contact_id=id_,
            result=found[id_]["result"],
            enrollment_id=found[id_]["enrollment_id"] or holder.get(id_),
        )
        for id_ in ids
    ]


def _counts(results: Sequence[EnrollResult]) -> EnrollCounts:
    return EnrollCounts(**Counter[str](result.result for result in results))


def _chunks(ids: Sequence[UUID]) -> list[Sequence[UUID]]:
    return [ids[start : start + ITEMS_PER_MESSAGE] for start in range(0, len(ids), ITEMS_PER_MESSAGE)]


async def _lock(work: Work, enrollment_id: UUID) -> Record:
    row = await work.find(_SQL.lock_enrollment, enrollment_id)
    if row is None:
        raise NotFoundError("enrollment")
    return row


def _subject(row: Record) -> Subject:
    return Subject(sequence_id=row["sequence_id"], enrollment_id=row["enrollment_id"])


async def _require_running(work: Work, row: Record, action: str) -> None:
    state = await work.value(_SQL.state_of_enrollment, row["enrollment_id"])
    if state in _ENDED:
        raise IllegalTransitionError("enrollment", state, action)
    if row["intent"] == "stop":
        raise IllegalTransitionError("enrollment", "stopped", action)


async def _set_intent(work: Work, row: Record, intent: Intent) -> None:
    changed = await work.value(_SQL.set_intent, row["enrollment_id"], row["intent"], intent)
    if changed is None:
        raise ConflictError("changed_meanwhile", "Somebody else changed the enrollment meanwhile; look and try again.")
    await tell_scheduler(work, [row["enrollment_id"]])
