"""What follows from what the sender said."""

from datetime import timedelta
from itertools import pairwise

import pytest

from postroad_engine.decide import after_settlement, settles
from postroad_engine.facts import (
    BACKOFF,
    ContactView,
    Decision,
    End,
    EnrollmentView,
    Facts,
    Hold,
    Intent,
    Outcome,
    Send,
    Settlement,
)
from postroad_engine.reasons import (
    AlreadyEnded,
    BounceType,
    ConnectionFailed,
    DelayAfter,
    EnrollmentPaused,
    EnrollmentStopped,
    Expired,
    OutcomeUnknown,
    Overdue,
    Refused,
    RenderFailed,
    RetriesExhausted,
    RetryAt,
    SenderPaused,
    SequenceFinished,
    SequenceInactive,
    SequenceState,
    ServerAnswered,
    StopKind,
    Suppressed,
)
from postroad_engine.state_machine import EnrollmentState, Event
from tests.unit.engine.examples import DAY, HOUR, NOW, enrolled, sequence, settled

IN_HAND = enrolled(attempt=1)
LAST = enrolled(step_number=3, attempt=1)
GREYLISTED = ServerAnswered(451, "4.7.1", "greylisted")
NO_SUCH_USER = ServerAnswered(550, "5.1.1", "no such user")
MINUTE = timedelta(minutes=1)


def ask(
    settlement: Settlement,
    enrollment: EnrollmentView = IN_HAND,
    *,
    facts: Facts | None = None,
    now: timedelta = timedelta(0),
) -> Decision:
    return after_settlement(
        sequence(), enrollment, ContactView(), facts=facts or Facts(), settlement=settlement, now=NOW + now
    )


def test_an_accepted_step_leads_to_the_next_counted_from_its_acceptance() -> None:
    decision = ask(settled(Outcome.ACCEPTED, when=NOW + HOUR), now=2 * HOUR)
    assert isinstance(decision, Send)
    assert (decision.step.number, decision.anchor_at, decision.due_at) == (2, NOW + HOUR, NOW + HOUR + DAY)
    assert decision.deferrals == 0
    assert decision.reasons == (DelayAfter(DAY, 1, NOW + HOUR),)


def test_the_next_step_starts_its_own_retries() -> None:
    decision = ask(settled(Outcome.ACCEPTED), enrolled(attempt=1, deferrals=7, next_due_at=NOW + 9 * DAY))
    assert isinstance(decision, Send)
    assert (decision.deferrals, decision.due_at) == (0, NOW + DAY)


def test_the_last_step_accepted_completes_the_enrollment() -> None:
    decision = ask(settled(Outcome.ACCEPTED, step=3), LAST)
    assert decision == End(EnrollmentState.COMPLETED, (SequenceFinished(),), Event.COMPLETE)


def test_an_unknown_outcome_goes_on_as_if_sent_and_says_so() -> None:
    unknown = OutcomeUnknown("the connection was lost")
    decision = ask(settled(Outcome.UNKNOWN, unknown))
    assert isinstance(decision, Send)
    assert decision.step.number == 2
    assert decision.reasons[0] == unknown
    finished = ask(settled(Outcome.UNKNOWN, unknown, step=3), LAST)
    assert finished == End(EnrollmentState.COMPLETED, (unknown, SequenceFinished()), Event.COMPLETE)


def test_a_deferral_tries_the_same_step_again_later() -> None:
    decision = ask(settled(Outcome.DEFERRED, GREYLISTED))
    assert isinstance(decision, Send)
    assert (decision.step.number, decision.due_at, decision.deferrals) == (1, NOW + MINUTE, 1)
    assert decision.send_before == NOW + MINUTE + DAY
    assert decision.reasons[-1] == RetryAt(1, NOW + MINUTE, "451 4.7.1 greylisted")


@pytest.mark.parametrize(
    ("asked", "waits"), [(30 * MINUTE, 30 * MINUTE), (timedelta(seconds=1), MINUTE), (90 * DAY, DAY)]
)
def test_a_server_may_ask_for_a_longer_wait_but_not_for_ever(asked: timedelta, waits: timedelta) -> None:
    decision = ask(settled(Outcome.DEFERRED, GREYLISTED, retry_after=asked))
    assert isinstance(decision, Send)
    assert decision.due_at == NOW + waits


def test_the_ladder_climbs_for_less_than_three_days() -> None:
    assert BACKOFF[:5] == (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR)
    assert all(later >= earlier for earlier, later in pairwise(BACKOFF))
    assert 72 * HOUR - 4 * HOUR < sum(BACKOFF, timedelta(0)) <= 72 * HOUR


def test_at_the_end_of_the_ladder_the_enrollment_fails_with_the_servers_words() -> None:
    decision = ask(settled(Outcome.DEFERRED, GREYLISTED, attempt=30), enrolled(attempt=30, deferrals=len(BACKOFF)))
    exhausted = RetriesExhausted(len(BACKOFF) + 1, "451 4.7.1 greylisted")
    assert decision == End(EnrollmentState.FAILED, (exhausted,), Event.FAIL)


def test_holds_in_between_do_not_use_up_the_ladder() -> None:
    decision = ask(settled(Outcome.DEFERRED, GREYLISTED, attempt=40), enrolled(attempt=40, deferrals=1))
    assert isinstance(decision, Send)
    assert decision.due_at == NOW + 5 * MINUTE


def test_a_deferral_while_paused_is_held_and_keeps_its_wait() -> None:
    decision = ask(settled(Outcome.DEFERRED, GREYLISTED), facts=Facts(intent=Intent.PAUSE))
    assert isinstance(decision, Hold)
    assert (decision.due_at, decision.deferrals, decision.event) == (NOW + MINUTE, 1, Event.PAUSE)


def test_a_hard_refusal_is_a_bounce_in_the_servers_words() -> None:
    bounced = settled(Outcome.REFUSED, NO_SUCH_USER, bounce_type=BounceType.HARD)
    for stops in (frozenset[StopKind](), frozenset({StopKind.BOUNCED})):
        decision = ask(bounced, facts=Facts(stops=stops))
        assert decision == End(EnrollmentState.BOUNCED, (Refused(BounceType.HARD), NO_SUCH_USER), Event.BOUNCE)


@pytest.mark.parametrize("bounce_type", [None, BounceType.SOFT, BounceType.UNDETERMINED])
def test_another_refusal_is_a_failure_and_blames_no_address(bounce_type: BounceType | None) -> None:
    blocked = ServerAnswered(554, "5.7.1", "blocked")
    decision = ask(settled(Outcome.REFUSED, blocked, bounce_type=bounce_type))
    assert decision == End(EnrollmentState.FAILED, (Refused(bounce_type), blocked), Event.FAIL)


def test_an_expired_step_is_placed_anew_at_once() -> None:
    decision = ask(settled(Outcome.HELD, Expired(NOW + DAY)), now=DAY + MINUTE)
    assert isinstance(decision, Send)
    assert (decision.step.number, decision.due_at) == (1, NOW + DAY + MINUTE)
    assert decision.reasons[-1] == Overdue(NOW)


def test_a_held_step_waits_with_what_holds_it_and_uses_up_nothing() -> None:
    held = settled(Outcome.HELD, SequenceInactive(SequenceState.PAUSED))
    decision = ask(held, facts=Facts(sequence_state=SequenceState.PAUSED))
    assert isinstance(decision, Hold)
    assert (decision.step.number, decision.deferrals, decision.until) == (1, 0, NOW + HOUR)


def test_a_step_held_for_a_cause_already_gone_rests_a_moment_before_it_is_tried_again() -> None:
    held = settled(Outcome.HELD, SenderPaused(None))
    decision = ask(held)
    assert isinstance(decision, Hold)
    assert decision.until == NOW + timedelta(seconds=10)
    assert decision.reasons[0] == SenderPaused(None)
    assert not decision.needs_attention


def test_a_template_that_cannot_be_filled_in_is_held_for_a_person() -> None:
    failed = RenderFailed("html", 3, "missing variable plan")
    decision = ask(settled(Outcome.HELD, failed))
    assert isinstance(decision, Hold)
    assert decision.needs_attention
    assert decision.until == NOW + HOUR
    assert decision.reasons[0] == failed


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        (Suppressed(StopKind.REPLIED), EnrollmentState.REPLIED),
        (Suppressed(StopKind.MANUAL), EnrollmentState.UNENROLLED),
        (EnrollmentStopped(), EnrollmentState.UNENROLLED),
    ],
)
def test_a_cancelled_step_ends_the_enrollment_also_when_its_cause_is_gone(
    reason: Suppressed | EnrollmentStopped, state: EnrollmentState
) -> None:
    decision = ask(settled(Outcome.CANCELLED, reason))
    assert isinstance(decision, End)
    assert (decision.state, decision.reasons) == (state, (reason,))


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.REFUSED])
def test_a_stop_that_came_meanwhile_ends_the_enrollment_whatever_the_outcome(outcome: Outcome) -> None:
    decision = ask(settled(outcome, ConnectionFailed("x")), facts=Facts(stops=frozenset({StopKind.REPLIED})))
    assert isinstance(decision, End)
    assert decision.state is EnrollmentState.REPLIED


def test_a_refusal_after_an_unsubscribe_is_the_unsubscribes() -> None:
    decision = ask(settled(Outcome.REFUSED, NO_SUCH_USER), facts=Facts(stops=frozenset({StopKind.UNSUBSCRIBED})))
    assert isinstance(decision, End)
    assert decision.state is EnrollmentState.UNENROLLED


def test_a_pause_that_came_meanwhile_holds_the_next_step() -> None:
    decision = ask(settled(Outcome.ACCEPTED), facts=Facts(intent=Intent.PAUSE))
    assert isinstance(decision, Hold)
    assert (decision.step.number, decision.event, decision.reasons[0]) == (2, Event.PAUSE, EnrollmentPaused())


def test_the_last_step_accepted_completes_also_what_is_paused() -> None:
    decision = ask(
        settled(Outcome.ACCEPTED, step=3),
        enrolled(step_number=3, attempt=1, state=EnrollmentState.PAUSED),
        facts=Facts(intent=Intent.PAUSE),
    )
    assert isinstance(decision, End)
    assert decision.state is EnrollmentState.COMPLETED


@pytest.mark.parametrize("outcome", Outcome)
def test_a_settlement_after_the_end_changes_nothing(outcome: Outcome) -> None:
    decision = ask(settled(outcome), enrolled(attempt=1, state=EnrollmentState.REPLIED))
    assert decision == End(EnrollmentState.REPLIED, (AlreadyEnded(EnrollmentState.REPLIED),), event=None)


@pytest.mark.parametrize(
    "other",
    [settled(Outcome.ACCEPTED, attempt=2), settled(Outcome.ACCEPTED, attempt=0), settled(Outcome.ACCEPTED, step=2)],
)
def test_a_settlement_of_another_step_or_attempt_changes_nothing(other: Settlement) -> None:
    assert not settles(sequence(), IN_HAND, other)
    decision = ask(other)
    assert isinstance(decision, Send)
    assert decision.step.number == 1
