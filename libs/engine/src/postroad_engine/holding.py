"""The step that is next: when it goes, and what holds it."""

from dataclasses import replace
from datetime import datetime

from postroad_engine.case import Case
from postroad_engine.facts import Hold, Intent, Send
from postroad_engine.reasons import EnrollmentPaused, Reason, SenderPaused, SequenceInactive, SequenceState
from postroad_engine.state_machine import EnrollmentState, Event
from postroad_engine.timing import due


def upcoming(case: Case) -> Send | Hold:
    """The step in hand at its time, held when something stands against it; only where nothing ends the enrollment."""
    moved = due(case)
    send = Send(
        step=case.step,
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
