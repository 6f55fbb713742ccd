"""One decision's inputs together, and the two halves of every answer: what ends an enrollment, and its next step.

decide.py composes them.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from postroad_engine.definition import SequenceDefinition
from postroad_engine.facts import ContactView, End, EnrollmentView, Facts, Hold, Intent, Policy, Send
from postroad_engine.reasons import (
    AlreadyEnded,
    ContactGone,
    EnrollmentPaused,
    EnrollmentStopped,
    Reason,
    RetryAt,
    SenderPaused,
    SequenceInactive,
    SequenceState,
    StepGone,
    StopKind,
    Suppressed,
)
from postroad_engine.state_machine import ENDS, EnrollmentState, Event, transition
from postroad_engine.timing import Timing, due

STOP_EVENTS = {
    StopKind.COMPLAINED: Event.UNENROLL,
    StopKind.BOUNCED: Event.BOUNCE,
    StopKind.UNSUBSCRIBED: Event.UNENROLL,
    StopKind.REPLIED: Event.REPLY,
    StopKind.MANUAL: Event.UNENROLL,
}


@dataclass(frozen=True, slots=True)
class Case:
    """All that a decision is taken on. `retry` is the wait that a server's deferral asks for."""

    definition: SequenceDefinition
    enrollment: EnrollmentView
    contact: ContactView | None
    facts: Facts
    now: datetime
    policy: Policy
    retry: RetryAt | None


def end_of(case: Case) -> End | None:
    """The end that the facts demand, before anything is timed."""
    state, number = case.enrollment.state, case.enrollment.step_number
    if state in ENDS:
        return End(state, (AlreadyEnded(state),))
    if case.contact is None:
        return finish(case, Event.UNENROLL, ContactGone())
    if case.facts.stops:
        kinds = [kind for kind in StopKind if kind in case.facts.stops]
        return finish(case, STOP_EVENTS[kinds[0]], *map(Suppressed, kinds))
    if not case.definition.has_step(number):
        return finish(case, Event.FAIL, StepGone(number))
    return _end_by_person(case)


def _end_by_person(case: Case) -> End | None:
    if case.facts.intent == Intent.STOP:
        return finish(case, Event.UNENROLL, EnrollmentStopped())
    if case.facts.sequence_state == SequenceState.ARCHIVED:
        return finish(case, Event.UNENROLL, SequenceInactive(SequenceState.ARCHIVED))
    return None


def finish(case: Case, event: Event, *reasons: Reason) -> End:
    """The end to which this event leads."""
    return End(transition(case.enrollment.state, event), reasons, event)


def upcoming(case: Case) -> Send | Hold:
    """The step in hand at its time, held when something stands against it; only where nothing ends the enrollment."""
    step = case.definition.step(case.enrollment.step_number)
    timezone = None if case.contact is None else case.contact.timezone
    moved = due(
        Timing(step, case.enrollment.anchor_at, timezone, case.facts.tenant_timezone, case.retry, case.policy, case.now)
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


def _hold_by_facts(case: Case, send: Send) -> Hold | None:
    look_again = case.now + case.policy.look_again
    if case.facts.intent != Intent.RUN:
        event = Event.PAUSE if case.enrollment.state == EnrollmentState.ACTIVE else None
        return hold(replace(send, event=event), look_again, EnrollmentPaused())
    if case.facts.sequence_state != SequenceState.ACTIVE:
        return hold(send, look_again, SequenceInactive(case.facts.sequence_state))
    if send.due_at > case.now:
        return None  # a sender's pause may be over by then, and the gate looks again
    if case.facts.sender_paused_by_person:
        return hold(send, look_again, SenderPaused(until=None))
    until = case.facts.sender_paused_until
    if until is not None and until > case.now:
        return hold(send, until, SenderPaused(until))
    return None


def hold(send: Send, until: datetime, *reasons: Reason, needs_attention: bool = False) -> Hold:
    """What would be sent, held instead."""
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
