"""Claimed rows as messages: due steps of one tenant and one sender, few enough for one batch of the sender."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from opentelemetry.trace import SpanKind

from postroad_common.contracts import StepDue, StepsDueV1
from postroad_common.telemetry import current_traceparent, span
from postroad_scheduler.values import Claimed

STEPS_PER_MESSAGE: Final = 50


def messages(claimed: Sequence[Claimed]) -> Iterator[StepsDueV1]:
    """The messages that give these rows to the senders."""
    groups = defaultdict(list)
    for row in claimed:
        groups[row.tenant_id, row.sender_id].append(row)
    for (tenant_id, sender_id), rows in groups.items():
        for start in range(0, len(rows), STEPS_PER_MESSAGE):
            items = tuple(map(_step_due, rows[start : start + STEPS_PER_MESSAGE]))
            yield StepsDueV1(tenant_id=tenant_id, sender_id=sender_id, items=items)


def _step_due(row: Claimed) -> StepDue:
    return StepDue.model_construct(  # our own row, of the types that the contract names
        enrollment_id=row.enrollment_id,
        contact_id=row.contact_id,
        sequence_id=row.sequence_id,
        version=row.version,
        step_key=row.step_key,
        step_number=row.step_number,
        attempt=row.attempt,
        due_at=row.next_due_at,
        send_before=row.send_before,
        traceparent=None if row.traceparent is None else _due_traceparent(row, row.traceparent),
    )


def _due_traceparent(row: Claimed, parent: str) -> str:
    """The due span, under which the sender's work comes; the enrollment's own where nothing is recorded here."""
    attributes: dict[str, str | int] = {
        "postroad.enrollment": str(row.enrollment_id),
        "postroad.step": row.step_key,
        "postroad.attempt": row.attempt,
    }
    with span("step due", parent=parent, kind=SpanKind.PRODUCER, attributes=attributes) as due:
        return (current_traceparent() if due.is_recording() else None) or parent
