"""Why: what happens next to an enrollment, by the code that decides it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Final, assert_never
from uuid import UUID

from asyncpg import Record

from postroad_common.db import queries
from postroad_engine.decide import decide
from postroad_engine.definition import EmailStep, SequenceDefinition
from postroad_engine.facts import ContactView, Decision, End, EnrollmentView, Facts, Hold, Intent, Send
from postroad_engine.gate import GateFacts, Stop, gate
from postroad_engine.reasons import Reason as EngineReason
from postroad_engine.reasons import SequenceState, StopKind
from postroad_engine.reasons.base import when
from postroad_engine.state_machine import EnrollmentState
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import NotFoundError
from postroad_sequence_api.models.explanations import Explanation, NextStep, PastDecision, Reason
from postroad_sequence_api.services import drafts
from postroad_sequence_api.services.reasons import reasons_of

_SQL: Final = queries("postroad_sequence_api", "explanations")


async def explain(work: Work, enrollment_id: UUID) -> Explanation:
    """What happens next, when, and each reason; and what stands against sending at this moment."""
    row = await work.find(_SQL.standing, enrollment_id)
    if row is None:
        raise NotFoundError("enrollment")
    decisions = await work.all(_SQL.decisions, enrollment_id)
    past = tuple(PastDecision.of(one, reasons=_views(reasons_of(one["reasons"]))) for one in decisions)
    if row["phase"] is None:
        return _untaken(row, decide_first(row, await _definition(work, row)), past)
    return _taken(row, past)


def decide_first(row: Record, definition: SequenceDefinition) -> Decision:
    """What the scheduler will decide when it takes the enrollment up, as things stand."""
    return decide(
        definition,
        EnrollmentView(row["enrollment_id"], row["created_at"]),
        ContactView(row["timezone"]),
        facts=Facts(
            intent=Intent(row["intent"]),
            sequence_state=SequenceState(row["sequence_state"]),
            stops=frozenset(StopKind(kind) for kind in row["stops"]),
            sender_paused_by_person=row["sender_paused_by_person"],
            sender_paused_until=row["sender_paused_until"],
            tenant_timezone=row["tenant_timezone"],
            keeps_due_until=row["keeps_due_until"],
        ),
        now=row["now"],
    )


def _untaken(row: Record, decision: Decision, past: tuple[PastDecision, ...]) -> Explanation:
    return Explanation(
        enrollment_id=row["enrollment_id"],
        now=row["now"],
        state="active",
        phase=None,
        summary=f"The scheduler has not taken the enrollment up yet. {_said(decision)}",
        next=None if isinstance(decision, End) else _next(decision),
        looks_again_at=None,
        reasons=_views(decision.reasons),
        blocked_by=_views(_blockers(row)),
        decisions=past,
    )


def _said(decision: Decision) -> str:
    match decision:
        case Send(step=step, due_at=due_at):
            return f"Step {step.number} ({step.key}) is to go {when(due_at)}."
        case Hold(step=step):
            return f"Step {step.number} ({step.key}) will be held."
        case End(state=state):
            return f"It will end: {state}."
        case _:
            assert_never(decision)


def _next(decision: Send | Hold) -> NextStep:
    step = decision.step
    return NextStep(
        number=step.number, key=step.key, due_at=decision.due_at, send_before=decision.send_before, attempt=0
    )


def _taken(row: Record, past: tuple[PastDecision, ...]) -> Explanation:
    ended = row["phase"] == "ended"
    following = NextStep(
        number=row["step_number"],
        key=row["step_key"],
        due_at=row["next_due_at"],
        send_before=row["send_before"],
        attempt=row["attempt"],
    )
    return Explanation(
        enrollment_id=row["enrollment_id"],
        now=row["now"],
        state=row["state"],
        phase=row["phase"],
        summary=_summary(row),
        next=None if ended else following,
        looks_again_at=row["wake_at"],
        reasons=_views(reasons_of(row["reason"])),
        blocked_by=() if ended else _views(_blockers(row)),
        decisions=past,
    )


def _summary(row: Record) -> str:
    step = f"Step {row['step_number']} ({row['step_key']})"
    match row["phase"]:
        case "ended":
            return f"The enrollment has ended: {row['state']}."
        case "waiting" if row["next_due_at"] > row["now"]:
            return f"{step} goes {when(row['next_due_at'])}."
        case "waiting":
            return f"{step} is due since {when(row['next_due_at'])} and goes as soon as the sender has room."
        case "claimed" | "in_flight":
            return f"{step}, attempt {row['attempt']}, is with the sender until {when(row['wake_at'])} at most."
        case _ if row["needs_attention_at"] is not None:
            return f"{step} is held and needs somebody to look at it."
        case _:
            return f"{step} is held; it is looked at again {when(row['wake_at'])}, or as soon as the cause is gone."


def _blockers(row: Record) -> Iterator[EngineReason]:
    """Every reason why the sender's gate would not let a mail through now: each cause alone is put to it."""
    clear = GateFacts(
        now=row["now"],
        due_at=row["now"],
        send_before=row["now"] + timedelta(hours=1),
        held=False,
        lost_until=None,
        contact_exists=True,
        sequence_state=SequenceState.ACTIVE,
        intent=Intent.RUN,
        progress_state=EnrollmentState.ACTIVE,
        stops=frozenset(),
        sender_paused_by_person=False,
        sender_paused_until=None,
        row_is_ours=True,
        incarnation_live=True,
    )
    causes = [
        replace(clear, held=row["held"]),
        *(replace(clear, stops=frozenset({StopKind(kind)})) for kind in row["stops"]),
        replace(clear, intent=Intent(row["intent"])),
        replace(clear, sequence_state=SequenceState(row["sequence_state"])),
        replace(clear, sender_paused_by_person=row["sender_paused_by_person"]),
        replace(clear, sender_paused_until=row["sender_paused_until"]),
    ]
    for cause in causes:
        verdict = gate(cause)
        if isinstance(verdict, Stop):
            yield verdict.reason


async def _definition(work: Work, row: Record) -> SequenceDefinition:
    steps = await drafts.steps(work, row["sequence_id"], row["version"])
    return SequenceDefinition(
        sequence_id=row["sequence_id"],
        version=row["version"],
        sender_id=row["sender_id"],
        steps=tuple(
            EmailStep(
                key=step.key,
                number=step.number,
                delay=step.delay,
                template_id=step.template_id,
                template_version=step.template_version,
                preferred_time=step.preferred_time,
                thread=step.thread,
            )
            for step in steps
        ),
    )


def _views(reasons: Iterator[EngineReason] | tuple[EngineReason, ...]) -> tuple[Reason, ...]:
    return tuple(_view(reason) for reason in reasons)


def _view(reason: EngineReason) -> Reason:
    facts = reason.to_json()
    return Reason(kind=str(facts.pop("kind", reason.kind)), sentence=reason.sentence(), facts=facts)
