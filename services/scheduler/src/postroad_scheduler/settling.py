"""Answers of the senders become the next decision."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from postroad_common.contracts import StepSettled, StepsSettledV1
from postroad_common.db import transaction
from postroad_common.faults import reach
from postroad_common.telemetry import span
from postroad_scheduler.cases import read_cases, write_changes
from postroad_scheduler.context import Context
from postroad_scheduler.deliberation import Case, after_answer, settled_by
from postroad_scheduler.metrics import SETTLED
from postroad_scheduler.store import progress as store
from postroad_scheduler.values import Change, Key, Progress


async def settle(context: Context, messages: Sequence[StepsSettledV1]) -> None:
    """Settle all items of these messages in one transaction. What is late, or told twice, changes nothing."""
    items = _by_enrollment(messages)
    async with transaction(context.pool, {message.tenant_id for message in messages}) as conn:
        rows = await store.lock_running(conn, list(items))
        answers = _answers(rows, items)
        cases = await read_cases(context, conn, [row for row in rows if row.key in answers])
        await write_changes(conn, cases, [_settled(case, answers[case.progress.key]) for case in cases])
    if __debug__:
        reach("scheduler.settle_committed")
    _count(items, answers)


def _by_enrollment(messages: Sequence[StepsSettledV1]) -> dict[Key, list[StepSettled]]:
    items: dict[Key, list[StepSettled]] = defaultdict(list)
    for message in messages:
        for item in message.items:
            items[message.tenant_id, item.enrollment_id].append(item)
    return items


def _answers(rows: Sequence[Progress], items: Mapping[Key, Sequence[StepSettled]]) -> dict[Key, StepSettled]:
    """For each row the answer to what it asks, if there is one among the items."""
    return {row.key: item for row in rows for item in reversed(items[row.key]) if settled_by(row, item)}


def _settled(case: Case, item: StepSettled) -> Change:
    if item.traceparent is None:
        return after_answer(case, item)
    attributes = {"postroad.enrollment": str(item.enrollment_id), "postroad.outcome": item.outcome}
    with span("settle step", parent=item.traceparent, attributes=attributes):
        return after_answer(case, item)


def _count(items: Mapping[Key, Sequence[StepSettled]], answers: Mapping[Key, StepSettled]) -> None:
    for outcome, times in Counter(item.outcome for item in answers.values()).items():
        SETTLED.labels(outcome).inc(times)
    SETTLED.labels("stale").inc(sum(map(len, items.values())) - len(answers))
