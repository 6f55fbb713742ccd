"""From rows to what becomes of them: the engine's decisions as values to store. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import orjson

from postroad_common.contracts import StepSettled
from postroad_engine.decide import after_settlement, decide
from postroad_engine.definition import SequenceDefinition
from postroad_engine.facts import End, EnrollmentView, Hold, Outcome, Policy, Send, Settlement
from postroad_engine.inputs import inputs_hash
from postroad_engine.reasons import BounceType, CannotDecide, NoAnswerFromSender, StopKind, from_json
from postroad_engine.state_machine import EnrollmentState
from postroad_scheduler.changes import beginning, decided, reasons_json, state_after, unchanged
from postroad_scheduler.values import Beginning, Change, Progress, Situation


@dataclass(frozen=True, slots=True)
class Rules:
    """Spans of the engine's rules, and how often and how long a sender is asked."""

    policy: Policy
    max_emissions: int
    time_to_answer: timedelta


@dataclass(frozen=True, slots=True)
class Case:
    """One row with all that bears on it."""

    progress: Progress
    situation: Situation
    definition: SequenceDefinition
    rules: Rules


def stopped_by(case: Case, stop: StopKind) -> Case:
    """The case with a stop that somebody has told us of."""
    facts = replace(case.situation.facts, stops=case.situation.facts.stops | {stop})
    return replace(case, situation=replace(case.situation, facts=facts))


def begin(situation: Situation, definition: SequenceDefinition, policy: Policy) -> Beginning:
    """The first progress of an enrollment, counted from when it was enrolled."""
    enrollment = EnrollmentView(situation.enrollment_id, situation.created_at)
    contact, facts, now = situation.contact, situation.facts, situation.now
    decision = decide(definition, enrollment, contact, facts=facts, now=now, policy=policy)
    digest = inputs_hash(definition, enrollment, contact, facts=facts, now=now, policy=policy)
    return beginning(situation, definition, decision, digest)


def settled_by(progress: Progress, item: StepSettled) -> bool:
    """Whether the answer is to what is asked: another step or attempt, or nothing asked, is late or told twice."""
    return progress.asked and (progress.step_key, progress.attempt) == (item.step_key, item.attempt)


def after_answer(case: Case, item: StepSettled) -> Change:
    """What follows the sender's answer."""
    enrollment, now = _view(case.progress), case.situation.now
    settlement = _settlement(item)
    contact, facts, policy = case.situation.contact, case.situation.facts, case.rules.policy
    decision = after_settlement(
        case.definition, enrollment, contact, facts=facts, settlement=settlement, now=now, policy=policy
    )
    digest = inputs_hash(
        case.definition, enrollment, contact, facts=facts, now=now, settlement=settlement, policy=policy
    )
    return decided(case.progress, decision, now, digest)


def look_again(case: Case, *, overdue: bool) -> Change | None:
    """What becomes of a row that is looked at; None: it goes on waiting for the sender's answer.

    `overdue`: an answer that was waited for has not come in time.
    """
    enrollment, now = _view(case.progress), case.situation.now
    contact, facts, policy = case.situation.contact, case.situation.facts, case.rules.policy
    decision = decide(case.definition, enrollment, contact, facts=facts, now=now, policy=policy)
    digest = inputs_hash(case.definition, enrollment, contact, facts=facts, now=now, policy=policy)
    if case.progress.asked and not isinstance(decision, End):
        return _while_asked(case, decision, digest, overdue=overdue)
    change = decided(case.progress, decision, now, digest)
    return _without_decision(change, policy) if _says_nothing_new(case.progress, change) else change


def undecidable(progress: Progress, why: str, now: datetime, policy: Policy) -> Change:
    """A row that cannot be decided over is held for a person, and looked at again by itself in case that helped."""
    return unchanged(progress)._replace(
        phase="held",
        wake_at=now + policy.look_again + _spread(progress.enrollment_id, policy),
        reasons=reasons_json((CannotDecide(why),)),
        needs_attention_at=progress.needs_attention_at or now,
    )


def _while_asked(case: Case, decision: Send | Hold, digest: bytes, *, overdue: bool) -> Change | None:
    """Only the answer, or an end, moves a step that was given to the senders; its enrollment may be paused."""
    progress, now = case.progress, case.situation.now
    same = unchanged(progress)._replace(state=state_after(EnrollmentState(progress.state), decision))
    if overdue and progress.phase != "held" and progress.emissions >= case.rules.max_emissions:
        reason = NoAnswerFromSender(progress.emissions, case.rules.time_to_answer)
        return same._replace(
            phase="held",
            wake_at=now + case.rules.policy.look_again,
            reasons=reasons_json((reason,)),
            needs_attention_at=progress.needs_attention_at or now,
            outcome="hold",
            inputs_hash=digest,
        )
    return same if same.state != progress.state else None


def _says_nothing_new(progress: Progress, change: Change) -> bool:
    """A decision that is found again as it was is one decision, however often the row is looked at."""
    return (
        progress.phase == change.phase
        and progress.state == change.state
        and progress.step_key == change.step_key
        and (change.phase == "held" or progress.next_due_at == change.next_due_at)
        and orjson.loads(change.reasons) == orjson.loads(progress.reasons)
    )


def _without_decision(change: Change, policy: Policy) -> Change:
    """Holds that began together are looked at again spread out, so that they do not stand before what is due."""
    wake_at = change.wake_at
    if change.phase == "held" and wake_at is not None:
        wake_at += _spread(change.enrollment_id, policy)
    return change._replace(wake_at=wake_at, outcome=None, inputs_hash=None)


def _spread(enrollment_id: UUID, policy: Policy) -> timedelta:
    return policy.look_again * (enrollment_id.int % 1024 / 1024)


def _view(progress: Progress) -> EnrollmentView:
    return EnrollmentView(
        enrollment_id=progress.enrollment_id,
        anchor_at=progress.anchor_at,
        state=EnrollmentState(progress.state),
        step_number=progress.step_number,
        attempt=progress.attempt,
        deferrals=progress.deferrals,
        next_due_at=progress.next_due_at,
    )


def _settlement(item: StepSettled) -> Settlement:
    return Settlement(
        step_key=item.step_key,
        attempt=item.attempt,
        outcome=Outcome(item.outcome),
        settled_at=item.settled_at,
        reasons=tuple(map(from_json, item.reasons)),
        bounce_type=None if item.bounce_type is None else BounceType(item.bounce_type),
        retry_after=None if item.retry_after is None else timedelta(seconds=item.retry_after),
    )
