"""Decisions as rows: what a decision of the engine makes of a progress row. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

import orjson

from postroad_engine.definition import SequenceDefinition
from postroad_engine.facts import Decision, End, Hold, Send
from postroad_engine.reasons import Reason
from postroad_engine.state_machine import EnrollmentState, transition
from postroad_scheduler.values import Beginning, Change, Progress, Situation


def beginning(situation: Situation, definition: SequenceDefinition, decision: Decision, digest: bytes) -> Beginning:
    """The first row of an enrollment; one that ends at once never had a time for its first step."""
    step, at = definition.step(1), situation.created_at
    due_at, send_before = (at, at) if isinstance(decision, End) else (decision.due_at, decision.send_before)
    return Beginning(
        tenant_id=situation.tenant_id,
        enrollment_id=situation.enrollment_id,
        sequence_id=situation.sequence_id,
        version=situation.version,
        contact_id=situation.contact_id,
        sender_id=definition.sender_id,
        state=state_after(EnrollmentState.ACTIVE, decision),
        phase=_phase(decision),
        step_number=step.number,
        step_key=step.key,
        anchor_at=at,
        next_due_at=due_at,
        send_before=send_before,
        wake_at=_wake_at(decision),
        reasons=reasons_json(decision.reasons),
        traceparent=situation.traceparent,
        needs_attention_at=situation.now if _needs_attention(decision) else None,
        outcome=_outcome(decision),
        inputs_hash=digest,
    )


def decided(progress: Progress, decision: Decision, now: datetime, digest: bytes) -> Change:
    """The row after a decision: nothing is asked of the senders any more."""
    number, key, attempt = progress.step_number, progress.step_key, progress.attempt
    deferrals, anchor_at = progress.deferrals, progress.anchor_at
    due_at, send_before = progress.next_due_at, progress.send_before
    if not isinstance(decision, End):
        attempt = attempt if decision.step.key == key else 0
        number, key = decision.step.number, decision.step.key
        deferrals, anchor_at = decision.deferrals, decision.anchor_at
        due_at, send_before = decision.due_at, decision.send_before
    return Change(
        tenant_id=progress.tenant_id,
        enrollment_id=progress.enrollment_id,
        fence=progress.fence,
        state=state_after(EnrollmentState(progress.state), decision),
        phase=_phase(decision),
        step_number=number,
        step_key=key,
        attempt=attempt,
        emissions=0,
        deferrals=deferrals,
        anchor_at=anchor_at,
        next_due_at=due_at,
        send_before=send_before,
        wake_at=_wake_at(decision),
        reasons=reasons_json(decision.reasons),
        needs_attention_at=(progress.needs_attention_at or now) if _needs_attention(decision) else None,
        outcome=_outcome(decision),
        inputs_hash=digest,
    )


def unchanged(progress: Progress) -> Change:
    """The row as it is, without a decision."""
    return Change(
        tenant_id=progress.tenant_id,
        enrollment_id=progress.enrollment_id,
        fence=progress.fence,
        state=progress.state,
        phase=progress.phase,
        step_number=progress.step_number,
        step_key=progress.step_key,
        attempt=progress.attempt,
        emissions=progress.emissions,
        deferrals=progress.deferrals,
        anchor_at=progress.anchor_at,
        next_due_at=progress.next_due_at,
        send_before=progress.send_before,
        wake_at=progress.wake_at,
        reasons=progress.reasons,
        needs_attention_at=progress.needs_attention_at,
        outcome=None,
        inputs_hash=None,
    )


def state_after(before: EnrollmentState, decision: Decision) -> EnrollmentState:
    """The state of an enrollment once the decision is written."""
    if isinstance(decision, End):
        return decision.state
    return before if decision.event is None else transition(before, decision.event)


def _phase(decision: Decision) -> str:
    match decision:
        case Send():
            return "waiting"
        case Hold():
            return "held"
        case End():
            return "ended"
        case _:
            assert_never(decision)


def _outcome(decision: Decision) -> str:
    match decision:
        case Send():
            return "send"
        case Hold():
            return "hold"
        case End():
            return "end"
        case _:
            assert_never(decision)


def _wake_at(decision: Decision) -> datetime | None:
    match decision:
        case Send(due_at=due_at):
            return due_at
        case Hold(until=until):
            return until
        case End():
            return None
        case _:
            assert_never(decision)


def reasons_json(reasons: Sequence[Reason]) -> str:
    """Reasons as they are stored."""
    return orjson.dumps([reason.to_json() for reason in reasons]).decode()


def _needs_attention(decision: Decision) -> bool:
    return isinstance(decision, Hold) and decision.needs_attention
