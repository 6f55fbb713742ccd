"""What is next for an enrollment, when, and why: pure, total, and the only place that says so.

The scheduler, a simulation and an explanation run these very functions. The order is: what ends the enrollment, then
when the step in hand is due (timing.py), then what holds it. What comes next slots in without moving this:

* calendars are rules of timing;
* a branch or a split is a kind of step whose way on is a function of the same facts, asked where `after` is now;
* caps need many enrollments at once: a function from decisions and free capacity to slots, run on what this returns;
* a simulation is a loop of `decide`, an assumed Settlement and `after_settlement` over a `now` of its own.

Ask `decide` while nothing of the enrollment is in flight, and `after_settlement` with what the sender said of the
step and attempt in hand.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from postroad_engine.case import Case
from postroad_engine.definition import SequenceDefinition
from postroad_engine.ending import STOP_EVENTS, end_of, finish
from postroad_engine.facts import (
    DEFAULT_POLICY,
    ContactView,
    Decision,
    End,
    EnrollmentView,
    Facts,
    Hold,
    Outcome,
    Policy,
    Settlement,
)
from postroad_engine.holding import hold, upcoming
from postroad_engine.reasons import (
    BounceType,
    EnrollmentStopped,
    Expired,
    Reason,
    Refused,
    RenderFailed,
    RetriesExhausted,
    RetryAt,
    SequenceFinished,
    ServerAnswered,
    StopKind,
    Suppressed,
)
from postroad_engine.state_machine import Event

_NO_TIME = timedelta(0)


def decide(
    definition: SequenceDefinition,
    enrollment: EnrollmentView,
    contact: ContactView | None,
    *,
    facts: Facts,
    now: datetime,
    policy: Policy = DEFAULT_POLICY,
) -> Decision:
    """What to do with the step that is next. `contact` is None when it was deleted."""
    return _decide(Case(definition, enrollment, contact, facts, now, policy, _retry_in_hand(enrollment)))


def after_settlement(
    definition: SequenceDefinition,
    enrollment: EnrollmentView,
    contact: ContactView | None,
    *,
    facts: Facts,
    settlement: Settlement,
    now: datetime,
    policy: Policy = DEFAULT_POLICY,
) -> Decision:
    """What to do now that an attempt is settled; one of another step or attempt changes nothing."""
    case = Case(definition, enrollment, contact, facts, now, policy, _retry_in_hand(enrollment))
    if not settles(definition, enrollment, settlement):
        return _decide(case)
    return _settled(case, settlement)


def settles(definition: SequenceDefinition, enrollment: EnrollmentView, settlement: Settlement) -> bool:
    """Whether a settlement is about the step and the attempt in hand."""
    number = enrollment.step_number
    if settlement.attempt != enrollment.attempt or not definition.has_step(number):
        return False
    return settlement.step_key == definition.step(number).key


def _retry_in_hand(enrollment: EnrollmentView) -> RetryAt | None:
    """A step that was put off keeps its waiting time through a pause."""
    if not enrollment.deferrals or enrollment.next_due_at is None:
        return None
    return RetryAt(enrollment.deferrals, enrollment.next_due_at, reply=None)


def _decide(case: Case) -> Decision:
    return end_of(case) or upcoming(case)


def _settled(case: Case, settlement: Settlement) -> Decision:
    match settlement.outcome:
        case Outcome.ACCEPTED:
            decision = _go_on(case, settlement, ())
        case Outcome.UNKNOWN:
            decision = _go_on(case, settlement, settlement.reasons)
        case Outcome.DEFERRED:
            decision = _deferred(case, settlement)
        case Outcome.HELD:
            decision = _held(case, settlement)
        case Outcome.REFUSED:
            decision = _refused(case, settlement)
        case Outcome.CANCELLED:
            decision = _cancelled(case, settlement)
        case _:
            assert_never(settlement.outcome)
    return decision


def _go_on(case: Case, settlement: Settlement, said: tuple[Reason, ...]) -> Decision:
    """The next step; `unknown` counts as sent, since it may have been."""
    if (end := end_of(case)) is not None:
        return end
    following = case.definition.after(case.enrollment.step_number)
    if following is None:
        return finish(case, Event.COMPLETE, *said, SequenceFinished())
    enrollment = replace(
        case.enrollment,
        step_number=following.number,
        anchor_at=settlement.settled_at,
        attempt=0,
        deferrals=0,
        next_due_at=None,
    )
    decision = upcoming(case._replace(enrollment=enrollment, retry=None))
    return replace(decision, reasons=said + decision.reasons) if said else decision


def _deferred(case: Case, settlement: Settlement) -> Decision:
    if (end := end_of(case)) is not None:
        return end
    deferrals = case.enrollment.deferrals + 1
    reply = _reply(settlement)
    if deferrals > len(case.policy.backoff):
        return finish(case, Event.FAIL, RetriesExhausted(deferrals, reply))
    asked = min(settlement.retry_after or _NO_TIME, case.policy.retry_after_limit)
    until = settlement.settled_at + max(case.policy.backoff[deferrals - 1], asked)
    enrollment = replace(case.enrollment, deferrals=deferrals, next_due_at=until)
    return upcoming(case._replace(enrollment=enrollment, retry=RetryAt(deferrals, until, reply)))


def _held(case: Case, settlement: Settlement) -> Decision:
    """A step that expired is timed anew; any other hold lasts at least a moment, lest it be asked for in a circle."""
    decision = _decide(case)
    if isinstance(decision, End | Hold) or _only_expired(settlement):
        return decision
    attention = any(isinstance(reason, RenderFailed) for reason in settlement.reasons)
    until = case.now + (case.policy.look_again if attention else case.policy.held_wait)
    if decision.due_at >= until and not attention:
        return decision
    return hold(decision, until, *settlement.reasons, needs_attention=attention)


def _refused(case: Case, settlement: Settlement) -> End:
    """The server's own words say more than the suppression that follows from them; other stops come first."""
    facts = replace(case.facts, stops=case.facts.stops - {StopKind.BOUNCED})
    if (end := end_of(case._replace(facts=facts))) is not None:
        return end
    event = Event.BOUNCE if settlement.bounce_type == BounceType.HARD else Event.FAIL
    return finish(case, event, Refused(settlement.bounce_type), *settlement.reasons)


def _cancelled(case: Case, settlement: Settlement) -> End:
    """The ledger row is final, so the enrollment ends also when the cause is gone by now."""
    if (end := end_of(case)) is not None:
        return end
    for reason in settlement.reasons:
        if isinstance(reason, Suppressed):
            return finish(case, STOP_EVENTS[reason.stop], *settlement.reasons)
    return finish(case, Event.UNENROLL, *(settlement.reasons or (EnrollmentStopped(),)))


def _only_expired(settlement: Settlement) -> bool:
    return bool(settlement.reasons) and all(isinstance(reason, Expired) for reason in settlement.reasons)


def _reply(settlement: Settlement) -> str | None:
    return next((reason.reply() for reason in settlement.reasons if isinstance(reason, ServerAnswered)), None)
