"""How a sequence does."""

from collections import defaultdict
from typing import Any, Final
from uuid import UUID

from postroad_common.db import queries
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import NotFoundError
from postroad_sequence_api.models.stats import EnrollmentCounts, SequenceStats, StepStats
from postroad_sequence_api.services import analytics

_SQL: Final = queries("postroad_sequence_api", "stats")
_STATES: Final = ("transmitting", "held", "deferred", "accepted", "refused", "unknown", "cancelled")
_COUNTED: Final = tuple(name for name in StepStats.model_fields if name not in {"key", "number"})


async def of_sequence(work: Work, sequence_id: UUID) -> SequenceStats:
    """The counts of every step and of the enrollments, in the transaction of Desk.moment()."""
    if not await work.value(_SQL.sequence_exists, sequence_id):
        raise NotFoundError("sequence")
    steps = await work.all(_SQL.steps_of_stats, sequence_id, None)
    counts: defaultdict[str, dict[str, Any]] = defaultdict(lambda: dict.fromkeys(_COUNTED, 0))
    for key, came_back in (await analytics.of_steps(work, sequence_id)).items():
        counts[key].update(came_back)
    for row in await work.all(_SQL.message_counts, sequence_id, [row["key"] for row in steps]):
        counts[row["key"]].update(row)
    for count in counts.values():
        count["sent"] = count["accepted"] + count["unknown"]
        count["due"] = sum(count[state] for state in _STATES)
    enrollments = await work.one(_SQL.enrollment_counts, sequence_id)
    return SequenceStats(
        sequence_id=sequence_id,
        enrollments=EnrollmentCounts.of(enrollments),
        steps=tuple(StepStats.of({**counts[row["key"]], **row}) for row in steps),
    )
