"""What ends an enrollment, whatever step it is at."""

from postroad_engine.case import Case
from postroad_engine.facts import End, Intent
from postroad_engine.reasons import (
    AlreadyEnded,
    ContactGone,
    EnrollmentStopped,
    Reason,
    SequenceInactive,
    SequenceState,
    StepGone,
    StopKind,
    Suppressed,
)
from postroad_engine.state_machine import ENDS, Event, transition

STOP_EVENTS = {
    StopKind.COMPLAINED: Event.UNENROLL,
    StopKind.BOUNCED: Event.BOUNCE,
    StopKind.UNSUBSCRIBED: Event.UNENROLL,
    StopKind.REPLIED: Event.REPLY,
    StopKind.MANUAL: Event.UNENROLL,
}


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
