"""What the scheduler makes of the engine's decisions, row by row."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from postroad_common.contracts import StepSettled
from postroad_engine.definition import EmailStep, SequenceDefinition
from postroad_engine.facts import ContactView, Facts, Intent, Policy
from postroad_engine.reasons import EnrollmentPaused, NoAnswerFromSender, RenderFailed, SequenceState, StopKind
from postroad_scheduler.deliberation import Case, Rules, after_answer, begin, look_again, settled_by, stopped_by
from postroad_scheduler.values import Progress, Situation

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
TENANT, ENROLLMENT, SEQUENCE, CONTACT, SENDER, TEMPLATE = (UUID(int=number) for number in range(1, 7))
RULES = Rules(Policy(look_again=timedelta(minutes=15)), max_emissions=3, time_to_answer=timedelta(minutes=10))
STEPS = tuple(EmailStep(f"step-{n}", n, HOUR, TEMPLATE, 1) for n in (1, 2))
DEFINITION = SequenceDefinition(SEQUENCE, 1, SENDER, STEPS)


def progress(**changes: Any) -> Progress:
    waiting = Progress(
        tenant_id=TENANT,
        enrollment_id=ENROLLMENT,
        state="active",
        phase="waiting",
        step_number=1,
        step_key="step-1",
        attempt=0,
        emissions=0,
        deferrals=0,
        fence=7,
        anchor_at=NOW - HOUR,
        next_due_at=NOW,
        send_before=NOW + 24 * HOUR,
        wake_at=NOW,
        reasons="[]",
        needs_attention_at=None,
    )
    return waiting._replace(**changes)


def in_flight(**changes: Any) -> Progress:
    return progress(phase="in_flight", attempt=2, emissions=1, wake_at=NOW + HOUR, **changes)


def situation(**facts: Any) -> Situation:
    return Situation(
        tenant_id=TENANT,
        enrollment_id=ENROLLMENT,
        sequence_id=SEQUENCE,
        version=1,
        contact_id=CONTACT,
        traceparent=None,
        created_at=NOW - HOUR,
        contact=ContactView(),
        facts=Facts(**facts),
        now=NOW,
    )


def case(row: Progress, **facts: Any) -> Case:
    return Case(row, situation(**facts), DEFINITION, RULES)


def settled(outcome: Any, **more: Any) -> StepSettled:
    given = {"enrollment_id": ENROLLMENT, "step_key": "step-1", "attempt": 2, "outcome": outcome, "settled_at": NOW}
    return StepSettled(**given | more)


@pytest.mark.parametrize(
    ("row", "answer", "expected"),
    [
        (in_flight(), settled("accepted"), True),
        (in_flight()._replace(phase="claimed"), settled("accepted"), True),
        (in_flight()._replace(phase="held", emissions=3), settled("accepted"), True),
        (in_flight(), settled("accepted", attempt=1), False),
        (in_flight(), settled("accepted", step_key="step-2"), False),
        (progress(attempt=2), settled("accepted"), False),
        (progress(attempt=2, phase="held"), settled("held"), False),
    ],
)
def test_only_the_attempt_that_is_asked_for_is_settled(row: Progress, answer: StepSettled, expected: bool) -> None:
    assert settled_by(row, answer) is expected


def test_the_next_step_counts_from_when_the_last_was_settled() -> None:
    change = after_answer(case(in_flight()), settled("accepted", settled_at=NOW - HOUR / 2))
    assert (change.phase, change.step_key, change.attempt, change.emissions) == ("waiting", "step-2", 0, 0)
    assert change.anchor_at == NOW - HOUR / 2
    assert change.wake_at == change.next_due_at == NOW + HOUR / 2
    assert (change.outcome, change.fence) == ("send", 7)


def test_a_new_attempt_at_the_same_step_keeps_the_count_of_attempts() -> None:
    change = after_answer(case(in_flight()), settled("deferred"))
    assert (change.step_key, change.attempt, change.deferrals, change.phase) == ("step-1", 2, 1, "waiting")


def test_a_message_that_cannot_be_rendered_is_held_for_a_person() -> None:
    reasons = [RenderFailed("subject", 1, "first_name is missing").to_json()]
    change = after_answer(case(in_flight()), settled("held", reasons=reasons))
    assert (change.phase, change.needs_attention_at, change.emissions) == ("held", NOW, 0)


def test_a_pause_marks_the_enrollment_and_leaves_the_step_in_flight() -> None:
    row = in_flight()
    change = look_again(case(row, intent=Intent.PAUSE), overdue=False)
    assert change is not None
    assert (change.state, change.phase, change.wake_at, change.emissions) == ("paused", "in_flight", row.wake_at, 1)
    assert change.outcome is None


def test_nothing_changes_while_an_answer_is_waited_for() -> None:
    assert look_again(case(in_flight()), overdue=False) is None
    assert look_again(case(in_flight(), sequence_state=SequenceState.PAUSED), overdue=False) is None


def test_an_attempt_that_was_asked_for_often_enough_needs_attention() -> None:
    change = look_again(case(in_flight()._replace(emissions=3)), overdue=True)
    assert change is not None
    assert (change.phase, change.emissions, change.needs_attention_at) == ("held", 3, NOW)
    assert [reason["kind"] for reason in orjson.loads(change.reasons)] == [NoAnswerFromSender.kind]


def test_an_attempt_that_is_not_overdue_is_not_given_up() -> None:
    assert look_again(case(in_flight()._replace(emissions=3)), overdue=False) is None


@pytest.mark.parametrize("row", [progress(), in_flight(), in_flight()._replace(phase="held", emissions=3)])
def test_a_stop_ends_whatever_is_being_waited_for(row: Progress) -> None:
    for stopped in (case(row, intent=Intent.STOP), stopped_by(case(row), StopKind.UNSUBSCRIBED)):
        change = look_again(stopped, overdue=False)
        assert change is not None
        assert (change.state, change.phase, change.wake_at) == ("unenrolled", "ended", None)
        assert (change.step_key, change.emissions, change.needs_attention_at) == ("step-1", 0, None)


def test_a_hold_that_is_found_again_is_not_decided_again() -> None:
    first = look_again(case(progress(), intent=Intent.PAUSE), overdue=False)
    assert first is not None
    assert (first.outcome, first.state) == ("hold", "paused")
    held = progress(state="paused", phase="held", reasons=first.reasons)

    again = look_again(case(held, intent=Intent.PAUSE), overdue=True)

    assert again is not None
    assert (again.outcome, again.phase) == (None, "held")
    assert orjson.loads(again.reasons)[0]["kind"] == EnrollmentPaused.kind


def test_holds_that_began_together_are_not_all_looked_at_again_at_once() -> None:
    look = RULES.policy.look_again
    first = look_again(case(progress(), intent=Intent.PAUSE), overdue=False)
    assert first is not None
    looks = set()
    for number in range(1000, 1100):
        held = progress(enrollment_id=UUID(int=number * 37), state="paused", phase="held", reasons=first.reasons)
        again = look_again(case(held, intent=Intent.PAUSE), overdue=True)
        assert again is not None
        assert again.wake_at is not None
        looks.add(again.wake_at)
    assert NOW + look <= min(looks) < max(looks) < NOW + 2 * look
    assert len(looks) == 100


def test_a_hold_for_another_reason_is_a_new_decision() -> None:
    first = look_again(case(progress(), sequence_state=SequenceState.PAUSED), overdue=False)
    assert first is not None
    held = progress(phase="held", reasons=first.reasons)
    other = look_again(case(held, sender_paused_by_person=True), overdue=True)
    assert other is not None
    assert other.outcome == "hold"


def test_a_beginning_that_is_already_stopped_ends_at_once_and_says_why() -> None:
    stopped = situation(stops=frozenset({StopKind.COMPLAINED}))
    first = begin(stopped, DEFINITION, RULES.policy)
    assert (first.state, first.phase, first.wake_at, first.outcome) == ("unenrolled", "ended", None, "end")
    assert orjson.loads(first.reasons)[0] == {"kind": "suppressed", "stop": "complained"}


def test_a_beginning_counts_from_the_enrolling() -> None:
    first = begin(replace(situation(), created_at=NOW - 3 * HOUR), DEFINITION, RULES.policy)
    assert (first.anchor_at, first.next_due_at) == (NOW - 3 * HOUR, NOW - 2 * HOUR)
    assert (first.sender_id, first.step_key, first.phase) == (SENDER, "step-1", "waiting")
