"""Enrollments: begun in bulk, and each paused, resumed or stopped by its intent."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

from asyncpg import Record

from postroad_common.contracts import EnrollmentsCreatedV1
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
    Result,
)
from postroad_sequence_api.services import stops
from postroad_sequence_api.services.sequences import ITEMS_PER_MESSAGE, tell_scheduler
from postroad_sequence_api.services.stops import Intent, Pending, Subject

T = TypeVar("T")

_SQL: Final = queries("postroad_sequence_api", "enrollments")
_SEQUENCES: Final = queries("postroad_sequence_api", "sequences")
_ENDED: Final = frozenset({"completed", "replied", "bounced", "unenrolled", "failed"})


class Outcome(NamedTuple):
    """What became of one contact; enrollment_id is the new one, or the one that is already active."""

    contact_id: UUID
    result: Result
    enrollment_id: UUID | None


async def enroll(work: Work, sequence_id: UUID, new: EnrollNew) -> Enrolled:
    """Enroll contacts in the active version; a contact that already runs in the sequence is left as it is."""
    version = await open_version(work, sequence_id)
    found = await enroll_all(work, sequence_id, version, new.contact_ids)
    # A contact named twice stands where it was named last.
    named = reversed(dict.fromkeys(reversed(new.contact_ids)))
    results = tuple(EnrollResult(**found[id_]._asdict()) for id_ in named)
    return Enrolled(sequence_id=sequence_id, version=version, counts=_counts(results), results=results)


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


async def enroll_all(work: Work, sequence_id: UUID, version: int, ids: Iterable[UUID]) -> dict[UUID, Outcome]:
    """Enroll contacts in a version that is open; what became of each, once.

    In the order of their ids, so that two who enroll the same contacts wait for each other and do not lock each other
    out.
    """
    traceparent = current_traceparent()
    rows: list[Record] = []
    for chunk in _chunks(sorted(set(ids))):
        rows += await work.all(_SQL.enroll, sequence_id, version, chunk, [new_id() for _ in chunk], traceparent)
    begun = [row for row in rows if row["enrollment_id"] is not None]
    await work.say(*(_created(work.tenant_id, sequence_id, version, some, traceparent) for some in _chunks(begun)))
    return await _outcomes(work, sequence_id, rows)


def _created(
    tenant_id: UUID, sequence_id: UUID, version: int, rows: Iterable[Record], traceparent: str | None
) -> EnrollmentsCreatedV1:
    # Validated as a whole: a model made for each contact takes longer.
    return EnrollmentsCreatedV1.model_validate(
        {
            "tenant_id": tenant_id,
            "sequence_id": sequence_id,
            "version": version,
            "items": tuple(
                {"enrollment_id": row["enrollment_id"], "contact_id": row["contact_id"], "traceparent": traceparent}
                for row in rows
            ),
        }
    )


async def _outcomes(work: Work, sequence_id: UUID, rows: Sequence[Record]) -> dict[UUID, Outcome]:
    active = [row["contact_id"] for row in rows if row["result"] == "already_active"]
    held = await work.all(_SQL.holders_of_slots, sequence_id, active) if active else ()
    holders = {row["contact_id"]: row["enrollment_id"] for row in held}
    return {
        contact_id: Outcome(contact_id, result, enrollment_id or holders.get(contact_id))
        for contact_id, enrollment_id, result in rows
    }


def _counts(results: Sequence[EnrollResult]) -> EnrollCounts:
    return EnrollCounts(**Counter[str](result.result for result in results))


def _chunks(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + ITEMS_PER_MESSAGE] for start in range(0, len(items), ITEMS_PER_MESSAGE)]


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
