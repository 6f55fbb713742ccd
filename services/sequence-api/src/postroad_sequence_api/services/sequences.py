"""Sequences: drafted, then activated into versions that never change; paused, resumed, archived."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from uuid import UUID

from asyncpg import Record

from postroad_common.contracts import EnrollmentIntentChangedV1, SequenceStateChangedV1
from postroad_common.db import queries
from postroad_common.ids import new_id
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import ConflictError, IllegalTransitionError, NotFoundError
from postroad_sequence_api.models import sequences as models
from postroad_sequence_api.models.base import Page, VersionPick, page_of
from postroad_sequence_api.models.fields import LONGEST_NAME
from postroad_sequence_api.services import drafts, stops
from postroad_sequence_api.services.stops import Pending, Subject
from postroad_sequence_api.services.version_diffs import compare

_SQL: Final = queries("postroad_sequence_api", "sequences")
_ENROLLMENTS: Final = queries("postroad_sequence_api", "enrollments")
ITEMS_PER_MESSAGE: Final = 500
_COPY: Final = " (copy)"

Action: TypeAlias = Literal["activate", "pause", "resume", "archive"]

TRANSITIONS: Final[Mapping[tuple[models.SequenceState, Action], models.SequenceState]] = {
    ("draft", "activate"): "active",
    ("active", "activate"): "active",  # the next version, for those enrolled from now on
    ("paused", "activate"): "paused",
    ("active", "pause"): "paused",
    ("paused", "resume"): "active",
    ("draft", "archive"): "archived",
    ("active", "archive"): "archived",
    ("paused", "archive"): "archived",
}
"""(state, action) -> state; what is not here is illegal."""


@dataclass(frozen=True, slots=True)
class Archived:
    """A sequence that was archived: the stop to acknowledge, and how many enrollments it ends."""

    pending: Pending
    stopped: int


async def create(work: Work, new: models.SequenceNew) -> models.Sequence:
    """A sequence with its first draft."""
    sequence_id = new_id()
    await drafts.check(work, new.sender_id, new.steps)
    await work.do(_SQL.insert_sequence, sequence_id, new.name)
    await work.do(_SQL.insert_version, sequence_id, 1, new.sender_id)
    await drafts.write_steps(work, sequence_id, 1, new.steps)
    return await get(work, sequence_id)


async def get(work: Work, sequence_id: UUID) -> models.Sequence:
    """A sequence with the steps of its draft, or else of its latest version."""
    row = await work.find(_SQL.sequences, sequence_id, None, None, 1)
    if row is None:
        raise NotFoundError("sequence")
    return models.Sequence.of(row, steps=await drafts.steps(work, sequence_id, row["version"]))


async def listed(work: Work, pick: models.SequencePick) -> Page[models.SequenceSummary]:
    """Sequences, oldest first."""
    rows = await work.all(_SQL.sequences, None, pick.after, pick.state, pick.limit + 1)
    return page_of((models.SequenceSummary.of(row) for row in rows), pick.limit)


async def versions(work: Work, sequence_id: UUID, pick: VersionPick) -> Page[models.VersionSummary]:
    """The versions of a sequence, newest first."""
    rows = await work.all(_SQL.versions, sequence_id, pick.after, pick.limit + 1)
    if not rows:
        await get(work, sequence_id)
    return page_of((models.VersionSummary.of(row) for row in rows), pick.limit, cursor="version")


async def version(work: Work, sequence_id: UUID, number: int) -> models.Version:
    """A version with its steps."""
    row = await work.find(_SQL.version, sequence_id, number)
    if row is None:
        raise NotFoundError("version of a sequence")
    return models.Version.of(row, steps=await drafts.steps(work, sequence_id, number))


async def clone(work: Work, sequence_id: UUID, new: models.SequenceCloneNew) -> models.Sequence:
    """A new sequence whose draft has the steps of a version. Nothing else is shared, and nobody is enrolled."""
    original = await get(work, sequence_id)
    source = await version(work, sequence_id, original.version if new.version is None else new.version)
    clone_id = new_id()
    await work.do(_SQL.insert_sequence, clone_id, new.name or _copy_name(original.name))
    await work.do(_SQL.insert_version, clone_id, 1, source.sender_id)
    await work.do(_SQL.copy_steps, clone_id, sequence_id, source.version)
    return await get(work, clone_id)


def _copy_name(name: str) -> str:
    return f"{name[: LONGEST_NAME - len(_COPY)]}{_COPY}"


async def diff(work: Work, sequence_id: UUID, number: int, against: int | None) -> models.VersionDiff:
    """What a version changes against another one, or else against the one before it."""
    after = await version(work, sequence_id, number)
    if against is None and number > 1:
        against = number - 1
    before = None if against is None else await version(work, sequence_id, against)
    return compare(after, before)


async def change(work: Work, sequence_id: UUID, wanted: models.SequenceChange) -> models.Sequence:
    """Write the draft anew; after an activation that is the draft of the next version."""
    standing = await _lock(work, sequence_id)
    work.match(standing["revision"])
    if standing["state"] == "archived":
        raise IllegalTransitionError("sequence", "archived", "a change")
    await drafts.check(work, wanted.sender_id, wanted.steps)
    await work.do(_SQL.name_sequence, sequence_id, wanted.name or standing["name"])
    draft = standing["draft_version"]
    if draft is None:
        draft = standing["latest_version"] + 1
        await work.do(_SQL.insert_version, sequence_id, draft, wanted.sender_id)
    else:
        await work.do(_SQL.set_draft_sender, sequence_id, draft, wanted.sender_id)
        await work.do(_SQL.delete_steps, sequence_id, draft)
    await drafts.write_steps(work, sequence_id, draft, wanted.steps)
    return await get(work, sequence_id)


async def activate(work: Work, sequence_id: UUID) -> models.Sequence:
    """Pin the draft's templates, freeze it, and let enrollments begin in it."""
    standing = await _lock(work, sequence_id)
    work.match(standing["revision"])
    state = _next(standing["state"], "activate")
    draft = standing["draft_version"]
    if draft is None:
        raise ConflictError(
            "nothing_to_activate",
            f"Version {standing['active_version']} is {standing['state']} and there is no draft to activate.",
            state=standing["state"],
        )
    await drafts.freeze(work, sequence_id, draft)
    await _set_state(work, sequence_id, standing["state"], state, version=draft)
    return await get(work, sequence_id)


async def pause(work: Work, sequence_id: UUID) -> Pending:
    """Want that nothing of the sequence begins until it is resumed."""
    standing = await _lock(work, sequence_id)
    subject = Subject(sequence_id=sequence_id)
    if standing["state"] == "paused":
        return await stops.standing(work, subject, "pause")
    await _set_state(work, sequence_id, standing["state"], _next(standing["state"], "pause"))
    return await stops.record(work, subject, "pause")


async def resume(work: Work, sequence_id: UUID) -> models.Sequence:
    """Want that it goes on."""
    standing = await _lock(work, sequence_id)
    await _set_state(work, sequence_id, standing["state"], _next(standing["state"], "resume"))
    await stops.record(work, Subject(sequence_id=sequence_id), "run")
    return await get(work, sequence_id)


async def archive(work: Work, sequence_id: UUID, *, stop_running: bool) -> Archived:
    """End a sequence for good. Enrollments that still run forbid it, unless they are to be stopped with it."""
    standing = await _lock(work, sequence_id)
    subject = Subject(sequence_id=sequence_id)
    if standing["state"] == "archived":
        return Archived(await stops.standing(work, subject, "stop"), 0)
    await _set_state(work, sequence_id, standing["state"], _next(standing["state"], "archive"))
    rows = await work.all(_SQL.running_enrollments, sequence_id)
    if rows and not stop_running:
        raise ConflictError(
            "enrollments_running",
            f'{len(rows)} enrollments still run. Let them end, or send {{"stop_running": true}} to stop them.',
            count=len(rows),
        )
    stopped = await _stop_all(work, [row["enrollment_id"] for row in rows])
    return Archived(await stops.record(work, subject, "stop"), stopped)


async def _stop_all(work: Work, enrollment_ids: Sequence[UUID]) -> int:
    rows = await work.all(_ENROLLMENTS.stop_all, enrollment_ids)
    await tell_scheduler(work, [row["enrollment_id"] for row in rows])
    return len(rows)


async def tell_scheduler(work: Work, enrollment_ids: Sequence[UUID]) -> None:
    """Say that the intents of these enrollments changed."""
    await work.say(
        *(EnrollmentIntentChangedV1(tenant_id=work.tenant_id, items=chunk) for chunk in _chunks(enrollment_ids))
    )


def _chunks(ids: Sequence[UUID]) -> Iterator[tuple[UUID, ...]]:
    for start in range(0, len(ids), ITEMS_PER_MESSAGE):
        yield tuple(ids[start : start + ITEMS_PER_MESSAGE])


async def _lock(work: Work, sequence_id: UUID) -> Record:
    if await work.find(_SQL.lock_sequence, sequence_id) is None:
        raise NotFoundError("sequence")
    return await work.one(_SQL.locked_sequence, sequence_id)


def _next(state: models.SequenceState, action: Action) -> models.SequenceState:
    following = TRANSITIONS.get((state, action))
    if following is None:
        raise IllegalTransitionError("sequence", state, action)
    return following


async def _set_state(work: Work, sequence_id: UUID, old: str, new: str, *, version: int | None = None) -> None:
    changed = await work.value(_SQL.set_state, sequence_id, old, new, version)
    if changed is None:
        raise ConflictError("changed_meanwhile", "Somebody else changed the sequence meanwhile; look and try again.")
    await work.say(SequenceStateChangedV1(tenant_id=work.tenant_id, sequence_id=sequence_id))
