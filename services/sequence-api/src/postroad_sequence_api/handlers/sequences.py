"""/v1/sequences."""

from uuid import UUID

from postroad_sequence_api.context import Desk, Work
from postroad_sequence_api.models.base import Page, VersionPick
from postroad_sequence_api.models.sequences import (
    ArchiveNew,
    DiffPick,
    Sequence,
    SequenceArchived,
    SequenceChange,
    SequenceCloneNew,
    SequenceNew,
    SequencePaused,
    SequencePick,
    SequenceSummary,
    Version,
    VersionDiff,
    VersionSummary,
)
from postroad_sequence_api.models.stats import SequenceStats
from postroad_sequence_api.services import sequences, stats, stops

_GENTLY = ArchiveNew()
_ALIKE = SequenceCloneNew()


async def create(work: Work, body: SequenceNew) -> Sequence:
    """Draft a sequence."""
    return await sequences.create(work, body)


async def list_(work: Work, query: SequencePick) -> Page[SequenceSummary]:
    """List sequences, oldest first."""
    return await sequences.listed(work, query)


async def get(work: Work, sequence_id: UUID) -> Sequence:
    """Show a sequence."""
    return await sequences.get(work, sequence_id)


async def change(work: Work, sequence_id: UUID, body: SequenceChange) -> Sequence:
    """Write the draft of a sequence."""
    return await sequences.change(work, sequence_id, body)


async def activate(work: Work, sequence_id: UUID) -> Sequence:
    """Activate the draft of a sequence."""
    return await sequences.activate(work, sequence_id)


async def pause(desk: Desk, sequence_id: UUID) -> SequencePaused:
    """Pause a sequence; answered when it holds."""
    stop = await stops.carry_out(desk, lambda work: sequences.pause(work, sequence_id))
    async with desk.work() as work:
        return SequencePaused.of(vars(await sequences.get(work, sequence_id)), stop=stop)


async def resume(work: Work, sequence_id: UUID) -> Sequence:
    """Resume a sequence."""
    return await sequences.resume(work, sequence_id)


async def archive(desk: Desk, sequence_id: UUID, body: ArchiveNew = _GENTLY) -> SequenceArchived:
    """Archive a sequence; answered when it holds."""
    async with desk.work() as work:
        archived = await sequences.archive(work, sequence_id, stop_running=body.stop_running)
    stop = await stops.acknowledge(desk, archived.pending)
    async with desk.work() as work:
        view = await sequences.get(work, sequence_id)
    return SequenceArchived.of(vars(view), stop=stop, stopped_enrollments=archived.stopped)


async def versions(work: Work, sequence_id: UUID, query: VersionPick) -> Page[VersionSummary]:
    """List the versions of a sequence, newest first."""
    return await sequences.versions(work, sequence_id, query)


async def version(work: Work, sequence_id: UUID, version: int) -> Version:
    """Show a version of a sequence."""
    return await sequences.version(work, sequence_id, version)


async def diff(work: Work, sequence_id: UUID, version: int, query: DiffPick) -> VersionDiff:
    """Show what a version changes against another one."""
    return await sequences.diff(work, sequence_id, version, query.against)


async def clone(work: Work, sequence_id: UUID, body: SequenceCloneNew = _ALIKE) -> Sequence:
    """Draft a new sequence with the steps of this one."""
    return await sequences.clone(work, sequence_id, body)


async def statistics(desk: Desk, sequence_id: UUID) -> SequenceStats:
    """Count what a sequence did."""
    async with desk.moment() as work:
        return await stats.of_sequence(work, sequence_id)
