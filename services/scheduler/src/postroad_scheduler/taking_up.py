"""Enrollments become progress: the first decision over each."""

from collections.abc import Sequence

from postroad_common.db import transaction
from postroad_common.faults import reach
from postroad_common.telemetry import span
from postroad_engine.definition import SequenceDefinition
from postroad_scheduler.context import Context
from postroad_scheduler.deliberation import begin
from postroad_scheduler.errors import DefinitionMissingError
from postroad_scheduler.metrics import DECIDED, TAKEN_UP
from postroad_scheduler.store import progress as store
from postroad_scheduler.values import Beginning, Key, Situation


async def take_up(context: Context, keys: Sequence[Key]) -> int:
    """Begin what has not begun, in one transaction; how many that were. Safe to repeat.

    Raises DefinitionMissingError when it has begun all but those whose version is not there.
    """
    async with transaction(context.pool, {tenant_id for tenant_id, _ in keys}) as conn:
        situations = list((await store.read_situations(conn, keys)).values())
        definitions = await context.definitions.get(conn, {s.version_key for s in situations})
        beginnings = [
            _begin(context, s, definitions[s.version_key]) for s in situations if s.version_key in definitions
        ]
        begun = set(await store.take_up(conn, beginnings, situations[0].now)) if beginnings else set()
    if __debug__:
        reach("scheduler.taken_up")
    TAKEN_UP.inc(len(begun))
    for beginning in beginnings:
        if beginning.key in begun:
            DECIDED.labels(beginning.outcome).inc()
    for situation in situations:
        if situation.version_key not in definitions:
            raise DefinitionMissingError(*situation.version_key)
    return len(begun)


def _begin(context: Context, situation: Situation, definition: SequenceDefinition) -> Beginning:
    if situation.traceparent is None:
        return begin(situation, definition, context.rules.policy)
    attributes = {"postroad.enrollment": str(situation.enrollment_id)}
    with span("take up enrollment", parent=situation.traceparent, attributes=attributes):
        return begin(situation, definition, context.rules.policy)
