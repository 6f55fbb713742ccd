"""The last look before the wire."""

from dataclasses import replace
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad_engine.facts import Intent
from postroad_engine.gate import Disposition, GateFacts, Go, Stop, gate
from postroad_engine.reasons import (
    AlreadyEnded,
    ContactGone,
    DatabaseHeld,
    EnrollmentPaused,
    EnrollmentStopped,
    Expired,
    IncarnationExpired,
    MayHaveBeenSent,
    NotOurs,
    Reason,
    SenderPaused,
    SequenceInactive,
    SequenceState,
    StopKind,
    Suppressed,
)
from postroad_engine.state_machine import ENDS, EnrollmentState
from tests.unit.engine.examples import DAY, HOUR, NOW

OPEN = GateFacts(
    now=NOW,
    due_at=NOW,
    send_before=NOW + DAY,
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

Obstacle: TypeAlias = tuple[dict[str, object], Reason, Disposition]


def obstacle(change: dict[str, object], reason: Reason, disposition: Disposition) -> Obstacle:
    return change, reason, disposition


# In the order of the questions: each stands against sending, and all that follow it as well.
OBSTACLES: list[Obstacle] = [
    ({"row_is_ours": False}, NotOurs(), Disposition.ABANDONED),
    ({"incarnation_live": False}, IncarnationExpired(), Disposition.HELD),
    ({"lost_until": NOW}, MayHaveBeenSent(NOW, NOW), Disposition.UNKNOWN),
    ({"held": True}, DatabaseHeld(), Disposition.HELD),
    ({"contact_exists": False}, ContactGone(), Disposition.CANCELLED),
    *[obstacle({"stops": frozenset({kind})}, Suppressed(kind), Disposition.CANCELLED) for kind in StopKind],
    ({"intent": Intent.STOP}, EnrollmentStopped(), Disposition.CANCELLED),
    ({"progress_state": None}, EnrollmentStopped(), Disposition.CANCELLED),
    *[obstacle({"progress_state": state}, AlreadyEnded(state), Disposition.CANCELLED) for state in sorted(ENDS)],
    (
        {"sequence_state": SequenceState.ARCHIVED},
        SequenceInactive(SequenceState.ARCHIVED),
        Disposition.CANCELLED,
    ),
    ({"intent": Intent.PAUSE}, EnrollmentPaused(), Disposition.HELD),
    ({"sequence_state": SequenceState.PAUSED}, SequenceInactive(SequenceState.PAUSED), Disposition.HELD),
    ({"sequence_state": SequenceState.DRAFT}, SequenceInactive(SequenceState.DRAFT), Disposition.HELD),
    ({"sender_paused_by_person": True}, SenderPaused(None), Disposition.HELD),
    ({"sender_paused_until": NOW + HOUR}, SenderPaused(NOW + HOUR), Disposition.HELD),
    ({"now": NOW + 2 * DAY}, Expired(NOW + DAY), Disposition.HELD),
]


def test_a_message_that_nothing_stands_against_goes() -> None:
    assert gate(OPEN) == Go()


@pytest.mark.parametrize(("change", "reason", "disposition"), OBSTACLES)
def test_each_obstacle_alone_stops_it_and_is_named(
    change: dict[str, object], reason: Reason, disposition: Disposition
) -> None:
    assert gate(replace(OPEN, **change)) == Stop(reason, disposition)  # type: ignore[arg-type]  # fields by name


@given(st.lists(st.integers(0, len(OBSTACLES) - 1), min_size=1))
def test_of_several_obstacles_the_first_in_the_documented_order_answers(picked: list[int]) -> None:
    changes: dict[str, object] = {}
    for index in sorted(picked, reverse=True):
        changes |= OBSTACLES[index][0]
    first = min(picked)
    assert gate(replace(OPEN, **changes)) == Stop(*OBSTACLES[first][1:])  # type: ignore[arg-type]  # fields by name


@given(
    st.builds(
        GateFacts,
        now=st.just(NOW),
        due_at=st.sampled_from([NOW - HOUR, NOW]),
        lost_until=st.sampled_from([None, NOW - HOUR, NOW - HOUR / 2]),
        send_before=st.sampled_from([NOW - HOUR, NOW, NOW + HOUR]),
        sender_paused_until=st.sampled_from([None, NOW - HOUR, NOW + HOUR]),
        intent=st.sampled_from(Intent),
        progress_state=st.none() | st.sampled_from(EnrollmentState),
    )
)
def test_nothing_goes_unless_every_single_condition_holds(facts: GateFacts) -> None:
    may_go = (
        facts.row_is_ours
        and facts.incarnation_live
        and not facts.held
        and (facts.lost_until is None or facts.due_at > facts.lost_until)
        and facts.contact_exists
        and not facts.stops
        and facts.intent is Intent.RUN
        and facts.progress_state in (EnrollmentState.ACTIVE, EnrollmentState.PAUSED)
        and facts.sequence_state is SequenceState.ACTIVE
        and not facts.sender_paused_by_person
        and (facts.sender_paused_until is None or facts.sender_paused_until <= facts.now)
        and facts.now <= facts.send_before
    )
    assert (gate(facts) == Go()) == may_go


def test_a_resumed_enrollment_may_go_before_the_scheduler_has_noticed() -> None:
    assert gate(replace(OPEN, progress_state=EnrollmentState.PAUSED)) == Go()


def test_an_intent_that_this_version_does_not_know_does_not_send() -> None:
    assert isinstance(gate(replace(OPEN, intent="drain")), Stop)  # type: ignore[arg-type]  # what a newer API may write
    assert isinstance(gate(replace(OPEN, sequence_state="draining")), Stop)  # type: ignore[arg-type]  # likewise
