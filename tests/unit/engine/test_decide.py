"""What is next for an enrollment, when, and why."""

from dataclasses import replace
from datetime import time, timedelta

import pytest

from postroad_engine.decide import decide
from postroad_engine.facts import ContactView, Decision, End, EnrollmentView, Facts, Hold, Intent, Policy, Send
from postroad_engine.reasons import (
    AlreadyEnded,
    ContactGone,
    DelayAfter,
    EnrollmentPaused,
    EnrollmentStopped,
    Overdue,
    PreferredTime,
    RetryAt,
    SenderPaused,
    SequenceInactive,
    SequenceState,
    StepGone,
    StopKind,
    Suppressed,
    TimeSkipped,
    Whose,
    ZoneFallback,
)
from postroad_engine.state_machine import ENDS, EnrollmentState, Event
from tests.unit.engine.examples import DAY, HOUR, NOW, at, email, enrolled, sequence

RUN = Facts()
PERSON = ContactView("Europe/Berlin")
NINE = time(9, 0)


def ask(
    enrollment: EnrollmentView | None = None,
    *,
    facts: Facts = RUN,
    contact: ContactView | None = PERSON,
    now: timedelta = timedelta(0),
    preferred_time: time | None = None,
    policy: Policy | None = None,
) -> Decision:
    definition = sequence(email(1, timedelta(0)), email(2, 3 * DAY, preferred_time), email(3))
    return decide(definition, enrollment or enrolled(), contact, facts=facts, now=NOW + now, policy=policy or Policy())


def test_the_first_step_is_due_its_delay_after_enrolling() -> None:
    assert ask() == Send(
        step=email(1, timedelta(0)),
        anchor_at=NOW,
        due_at=NOW,
        send_before=NOW + DAY,
        reasons=(DelayAfter(timedelta(0), None, NOW),),
    )


def test_a_preferred_time_is_the_contacts_own() -> None:
    decision = ask(enrolled(step_number=2), preferred_time=NINE)
    assert isinstance(decision, Send)
    assert decision.due_at == at("2026-03-05T09:00+01:00")
    assert decision.reasons == (DelayAfter(3 * DAY, 1, NOW), PreferredTime("09:00", "Europe/Berlin"))


@pytest.mark.parametrize(
    ("contact", "tenant", "due", "fallbacks"),
    [
        (None, "Asia/Tokyo", "2026-03-06T09:00+09:00", [ZoneFallback(Whose.CONTACT, None, "Asia/Tokyo")]),
        ("Mars", "Asia/Tokyo", "2026-03-06T09:00+09:00", [ZoneFallback(Whose.CONTACT, "Mars", "Asia/Tokyo")]),
        (
            "Mars",
            "Venus",
            "2026-03-05T09:00+00:00",
            [ZoneFallback(Whose.CONTACT, "Mars", "UTC"), ZoneFallback(Whose.TENANT, "Venus", "UTC")],
        ),
        (
            None,
            None,
            "2026-03-05T09:00+00:00",
            [ZoneFallback(Whose.CONTACT, None, "UTC"), ZoneFallback(Whose.TENANT, None, "UTC")],
        ),
    ],
)
def test_a_zone_that_is_missing_or_wrong_falls_back_and_says_so(
    contact: str | None, tenant: str | None, due: str, fallbacks: list[ZoneFallback]
) -> None:
    decision = ask(
        enrolled(step_number=2),
        contact=ContactView(contact),
        facts=Facts(tenant_timezone=tenant),
        preferred_time=NINE,
    )
    assert isinstance(decision, Send)
    assert decision.due_at == at(due)
    assert [reason for reason in decision.reasons if isinstance(reason, ZoneFallback)] == fallbacks


def test_a_zone_that_does_not_matter_is_not_spoken_of() -> None:
    decision = ask(contact=ContactView("Mars"))
    assert not any(isinstance(reason, ZoneFallback) for reason in decision.reasons)


def test_a_preferred_time_that_the_day_skips_is_said() -> None:
    anchor = at("2026-03-26T12:00+01:00")
    decision = decide(
        sequence(email(1, 3 * DAY, time(2, 30))), enrolled(anchor_at=anchor), PERSON, facts=RUN, now=anchor
    )
    assert isinstance(decision, Send)
    assert decision.due_at == at("2026-03-29T03:00+02:00")
    assert TimeSkipped("02:30", "Europe/Berlin", "03:00") in decision.reasons


@pytest.mark.parametrize("late", [HOUR, 23 * HOUR])
def test_a_step_that_is_late_but_not_too_late_keeps_its_due_time(late: timedelta) -> None:
    decision = ask(now=late)
    assert isinstance(decision, Send)
    assert (decision.due_at, decision.send_before) == (NOW, NOW + DAY)


def test_a_step_too_late_without_a_preferred_time_goes_now() -> None:
    decision = ask(now=7 * DAY)
    assert isinstance(decision, Send)
    assert (decision.due_at, decision.send_before) == (NOW + 7 * DAY, NOW + 8 * DAY)
    assert decision.reasons[-1] == Overdue(NOW)


def test_a_step_too_late_for_its_preferred_time_goes_at_the_next() -> None:
    decision = ask(enrolled(step_number=2), preferred_time=NINE, now=7 * DAY)
    assert isinstance(decision, Send)
    assert decision.due_at == at("2026-03-10T09:00+01:00")
    assert decision.reasons[-1] == Overdue(at("2026-03-05T09:00+01:00"))


def test_a_step_that_may_have_been_sent_before_a_restore_keeps_its_due_time_however_late() -> None:
    decision = ask(now=7 * DAY, facts=Facts(keeps_due_until=NOW))
    assert isinstance(decision, Send)
    assert decision.due_at == NOW
    later = ask(now=7 * DAY, facts=Facts(keeps_due_until=NOW - HOUR))
    assert isinstance(later, Send)
    assert later.due_at == NOW + 7 * DAY


def test_how_late_is_too_late_is_a_setting() -> None:
    decision = ask(now=2 * HOUR, policy=Policy(send_within=HOUR))
    assert decision.reasons[-1] == Overdue(NOW)


def test_a_pause_holds_the_step_and_changes_the_state() -> None:
    decision = ask(facts=Facts(intent=Intent.PAUSE))
    assert isinstance(decision, Hold)
    assert decision.event is Event.PAUSE
    assert decision.until == NOW + HOUR
    assert decision.due_at == NOW
    assert decision.reasons[0] == EnrollmentPaused()


def test_a_pause_of_what_is_paused_changes_nothing() -> None:
    decision = ask(enrolled(state=EnrollmentState.PAUSED), facts=Facts(intent=Intent.PAUSE))
    assert isinstance(decision, Hold)
    assert decision.event is None


def test_a_resumed_enrollment_goes_on_with_the_same_step() -> None:
    decision = ask(enrolled(state=EnrollmentState.PAUSED, step_number=2, attempt=1), now=DAY)
    assert isinstance(decision, Send)
    assert decision.event is Event.RESUME
    assert (decision.step.number, decision.due_at) == (2, NOW + 3 * DAY)


def test_a_pause_does_not_cut_a_retrys_wait_short() -> None:
    paused = enrolled(state=EnrollmentState.PAUSED, deferrals=2, next_due_at=NOW + 5 * HOUR)
    decision = ask(paused, now=HOUR)
    assert isinstance(decision, Send)
    assert (decision.due_at, decision.deferrals) == (NOW + 5 * HOUR, 2)
    assert RetryAt(2, NOW + 5 * HOUR, None) in decision.reasons


@pytest.mark.parametrize("state", [SequenceState.PAUSED, SequenceState.DRAFT])
def test_a_sequence_that_does_not_run_holds_and_leaves_the_enrollment_active(state: SequenceState) -> None:
    decision = ask(facts=Facts(sequence_state=state))
    assert isinstance(decision, Hold)
    assert decision.event is None
    assert decision.reasons[0] == SequenceInactive(state)


def test_a_paused_sender_holds_what_is_due_until_it_is_tried_again() -> None:
    decision = ask(facts=Facts(sender_paused_until=NOW + 2 * HOUR))
    assert isinstance(decision, Hold)
    assert decision.until == NOW + 2 * HOUR
    assert decision.reasons[0] == SenderPaused(NOW + 2 * HOUR)


def test_a_sender_paused_by_a_person_holds_what_is_due() -> None:
    decision = ask(facts=Facts(sender_paused_by_person=True))
    assert isinstance(decision, Hold)
    assert decision.reasons[0] == SenderPaused(None)


def test_a_paused_sender_does_not_hold_what_is_due_later() -> None:
    facts = Facts(sender_paused_by_person=True, sender_paused_until=NOW + DAY)
    assert isinstance(ask(enrolled(step_number=2), facts=facts), Send)


def test_a_senders_pause_that_is_over_holds_nothing() -> None:
    assert isinstance(ask(facts=Facts(sender_paused_until=NOW)), Send)


@pytest.mark.parametrize(
    ("stop", "state"),
    [
        (StopKind.REPLIED, EnrollmentState.REPLIED),
        (StopKind.BOUNCED, EnrollmentState.BOUNCED),
        (StopKind.UNSUBSCRIBED, EnrollmentState.UNENROLLED),
        (StopKind.COMPLAINED, EnrollmentState.UNENROLLED),
        (StopKind.MANUAL, EnrollmentState.UNENROLLED),
    ],
)
def test_a_stop_ends_the_enrollment_also_while_it_is_paused(stop: StopKind, state: EnrollmentState) -> None:
    for before in (EnrollmentState.ACTIVE, EnrollmentState.PAUSED):
        decision = ask(enrolled(state=before), facts=Facts(intent=Intent.PAUSE, stops=frozenset({stop})))
        assert isinstance(decision, End)
        assert (decision.state, decision.reasons) == (state, (Suppressed(stop),))


def test_of_several_stops_the_gravest_decides_and_all_are_named() -> None:
    decision = ask(facts=Facts(stops=frozenset({StopKind.REPLIED, StopKind.COMPLAINED})))
    assert isinstance(decision, End)
    assert decision.state is EnrollmentState.UNENROLLED
    assert decision.reasons == (Suppressed(StopKind.COMPLAINED), Suppressed(StopKind.REPLIED))


@pytest.mark.parametrize(
    ("decision", "state", "reason"),
    [
        (ask(facts=Facts(intent=Intent.STOP)), EnrollmentState.UNENROLLED, EnrollmentStopped()),
        (
            ask(facts=Facts(sequence_state=SequenceState.ARCHIVED)),
            EnrollmentState.UNENROLLED,
            SequenceInactive(SequenceState.ARCHIVED),
        ),
        (ask(contact=None), EnrollmentState.UNENROLLED, ContactGone()),
        (ask(enrolled(step_number=4)), EnrollmentState.FAILED, StepGone(4)),
    ],
)
def test_what_cannot_go_on_ends_and_says_why(decision: Decision, state: EnrollmentState, reason: object) -> None:
    assert isinstance(decision, End)
    assert (decision.state, decision.reasons) == (state, (reason,))
    assert decision.event is not None


@pytest.mark.parametrize("state", sorted(ENDS))
def test_what_has_ended_stays_as_it_ended(state: EnrollmentState) -> None:
    everything = Facts(intent=Intent.STOP, stops=frozenset(StopKind), sequence_state=SequenceState.ARCHIVED)
    for facts in (RUN, everything):
        assert ask(enrolled(state=state), facts=facts) == End(state, (AlreadyEnded(state),), event=None)


def test_asking_again_gives_the_same_answer() -> None:
    enrollment = enrolled(step_number=2)
    first = ask(enrollment, preferred_time=NINE)
    assert isinstance(first, Send)
    placed = replace(enrollment, next_due_at=first.due_at)
    assert {ask(placed, preferred_time=NINE, now=timedelta(minutes=m)) for m in range(0, 600, 60)} == {first}
