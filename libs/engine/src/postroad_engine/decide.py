"""What is next for an enrollment, when, and why: pure, total, and the only place that says so.

The scheduler, a simulation and an explanation run these very functions. The order is: what ends the enrollment, then
where the step in hand is placed (placement.py), then what holds it. What comes next slots in without moving this:

* calendars are placement rules;
* a branch or a split is a kind of step whose way on is a function of the same facts, asked where `after` is now;
* caps need many enrollments at once: a function from decisions and free capacity to slots, run on what this returns;
* a simulation is a loop of `decide`, an assumed Settlement and `after_settlement` over a `now` of its own.

Ask `decide` while nothing of the enrollment is in flight, and `after_settlement` with what the sender said of the
step and attempt in hand.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from postroad_engine.definition import SequenceDefinition
from postroad_engine.facts import (
    DEFAULT_POLICY,
    ContactView,
    Decision,
    End,
    EnrollmentView,
    Facts,
    Hold,
    Intent,
    Outcome,
    Policy,
    Send,
    Settlement,
)
from postroad_engine.placement import Placing, place
from postroad_engine.reasons import (
    AlreadyEnded,
    BounceType,
    ContactGone,
    EnrollmentPaused,
    EnrollmentStopped,
    Expired,
    Reason,
    Refused,
    RenderFailed,
    RetriesExhausted,
    RetryAt,
    SenderPaused,
    SequenceFinished,
    SequenceInactive,
    SequenceState,
    ServerAnswered,
    StepGone,
    StopKind,
    Suppressed,
)
from postroad_engine.state_machine import ENDS, EnrollmentState, Event, transition

_NO_TIME = timedelta(0)

_STOP_EVENTS = {
    StopKind.COMPLAINED: Event.UNENROLL,
    StopKind.BOUNCED: Event.BOUNCE,
    StopKind.UNSUBSCRIBED: Event.UNENROLL,
    StopKind.REPLIED: Event.REPLY,
    StopKind.MANUAL: Event.UNENROLL,
}


@dataclass(frozen=True, slots=True)
class _Case:
    """All that a decision is taken on. `retry` is the wait that a server's deferral asks for."""

    definition: SequenceDefinition
    enrollment: EnrollmentView
    contact: ContactView | None
    facts: Facts
    now: datetime
    policy: Policy
    retry: RetryAt | None


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
    return _decide(_Case(definition, enrollment, contact, facts, now, policy, _retry_in_hand(enrollment)))


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
    case = _Case(definition, enrollment, contact, facts, now, policy, _retry_in_hand(enrollment))
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


def _decide(case: _Case) -> Decision:
    return _end_of(case) or _placed(case)


# --- ends


def _end_of(case: _Case) -> End | None:
    """The end that the facts demand, before anything is placed."""
    state, number = case.enrollment.state, case.enrollment.step_number
    if state in ENDS:
        return End(state, (AlreadyEnded(state),))
    if case.contact is None:
        return _end(case, Event.UNENROLL, ContactGone())
    if case.facts.stops:
        kinds = [kind for kind in StopKind if kind in case.facts.stops]
        return _end(case, _STOP_EVENTS[kinds[0]], *map(Suppressed, kinds))
    if not case.definition.has_step(number):
        return _end(case, Event.FAIL, StepGone(number))
    return _end_by_person(case)


def _end_by_person(case: _Case) -> End | None:
    if case.facts.intent == Intent.STOP:
        return _end(case, Event.UNENROLL, EnrollmentStopped())
    if case.facts.sequence_state == SequenceState.ARCHIVED:
        return _end(case, Event.UNENROLL, SequenceInactive(SequenceState.ARCHIVED))
    return None


def _end(case: _Case, event: Event, *reasons: Reason) -> End:
    return End(transition(case.enrollment.state, event), reasons, event)


# --- placement and holds


def _placed(case: _Case) -> Send | Hold:
    step = case.definition.step(case.enrollment.step_number)
    timezone = None if case.contact is None else case.contact.timezone
    moved = place(
        Placing(
            step, case.enrollment.anchor_at, timezone, case.facts.tenant_timezone, case.retry, case.policy, case.now
        )
    )
    send = Send(
        step=step,
        anchor_at=case.enrollment.anchor_at,
        due_at=moved.candidate,
        send_before=moved.candidate + case.policy.send_within,
        deferrals=case.enrollment.deferrals,
        reasons=moved.reasons,
        event=Event.RESUME if case.enrollment.state == EnrollmentState.PAUSED else None,
    )
    return _hold_by_facts(case, send) or send


def _hold_by_facts(case: _Case, send: Send) -> Hold | None:
    look_again = case.now + case.policy.look_again
    if case.facts.intent != Intent.RUN:
        event = Event.PAUSE if case.enrollment.state == EnrollmentState.ACTIVE else None
        return _hold(replace(send, event=event), look_again, EnrollmentPaused())
    if case.facts.sequence_state != SequenceState.ACTIVE:
        return _hold(send, look_again, SequenceInactive(case.facts.sequence_state))
    if send.due_at > case.now:
        return None  # a sender's pause may be over by then, and the gate looks again
    if case.facts.sender_paused_by_person:
        return _hold(send, look_again, SenderPaused(until=None))
    until = case.facts.sender_paused_until
    if until is not None and until > case.now:
        return _hold(send, until, SenderPaused(until))
    return None


def _hold(send: Send, until: datetime, *reasons: Reason, needs_attention: bool = False) -> Hold:
    return Hold(
        step=send.step,
        anchor_at=send.anchor_at,
        due_at=send.due_at,
        send_before=send.send_before,
        until=until,
        deferrals=send.deferrals,
        reasons=(*reasons, *send.reasons),
        event=send.event,
        needs_attention=needs_attention,
    )


# --- settlements


def _settled(case: _Case, settlement: Settlement) -> Decision:
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


def _go_on(case: _Case, settlement: Settlement, said: tuple[Reason, ...]) -> Decision:
    """The next step; `unknown` counts as sent, since it may have been."""
    if (end := _end_of(case)) is not None:
        return end
    following = case.definition.after(case.enrollment.step_number)
    if following is None:
        return _end(case, Event.COMPLETE, *said, SequenceFinished())
    enrollment = replace(
        case.enrollment,
        step_number=following.number,
        anchor_at=settlement.settled_at,
        attempt=0,
        deferrals=0,
        next_due_at=None,
    )
    decision = _placed(replace(case, enrollment=enrollment, retry=None))
    return replace(decision, reasons=said + decision.reasons) if said else decision


def _deferred(case: _Case, settlement: Settlement) -> Decision:
    if (end := _end_of(case)) is not None:
        return end
    deferrals = case.enrollment.deferrals + 1
    reply = _reply(settlement)
    if deferrals > len(case.policy.backoff):
        return _end(case, Event.FAIL, RetriesExhausted(deferrals, reply))
    asked = min(settlement.retry_after or _NO_TIME, case.policy.retry_after_limit)
    until = settlement.settled_at + max(case.policy.backoff[deferrals - 1], asked)
    enrollment = replace(case.enrollment, deferrals=deferrals, next_due_at=until)
    return _placed(replace(case, enrollment=enrollment, retry=RetryAt(deferrals, until, reply)))


def _held(case: _Case, settlement: Settlement) -> Decision:
    """A step that expired is placed anew; any other hold lasts at least a moment, lest it be asked for in a circle."""
    decision = _decide(case)
    if isinstance(decision, End | Hold) or _only_expired(settlement):
        return decision
    attention = any(isinstance(reason, RenderFailed) for reason in settlement.reasons)
    until = case.now + (case.policy.look_again if attention else case.policy.held_wait)
    if decision.due_at >= until and not attention:
        return decision
    return _hold(decision, until, *settlement.reasons, needs_attention=attention)


def _refused(case: _Case, settlement: Settlement) -> End:
    """The server's own words say more than the suppression that follows from them; other stops come first."""
    facts = replace(case.facts, stops=case.facts.stops - {StopKind.BOUNCED})
    if (end := _end_of(replace(case, facts=facts))) is not None:
        return end
    event = Event.BOUNCE if settlement.bounce_type == BounceType.HARD else Event.FAIL
    return _end(case, event, Refused(settlement.bounce_type), *settlement.reasons)


def _cancelled(case: _Case, settlement: Settlement) -> End:
    """The ledger row is final, so the enrollment ends also when the cause is gone by now."""
    if (end := _end_of(case)) is not None:
        return end
    for reason in settlement.reasons:
        if isinstance(reason, Suppressed):
            return _end(case, _STOP_EVENTS[reason.stop], *settlement.reasons)
    return _end(case, Event.UNENROLL, *(settlement.reasons or (EnrollmentStopped(),)))


def _only_expired(settlement: Settlement) -> bool:
    return bool(settlement.reasons) and all(isinstance(reason, Expired) for reason in settlement.reasons)


def _reply(settlement: Settlement) -> str | None:
    return next((reason.reply() for reason in settlement.reasons if isinstance(reason, ServerAnswered)), None)
