"""The life of an enrollment."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad_engine.errors import IllegalTransitionError
from postroad_engine.state_machine import ENDS, TRANSITIONS, EnrollmentState, Event, transition
from postroad_engine.state_machine_page import page

PAGE = Path(__file__).parents[3] / "docs" / "state-machine.md"


def test_the_page_in_the_docs_is_drawn_from_the_table() -> None:
    assert PAGE.read_text("utf-8") == page()


def test_every_state_can_be_reached() -> None:
    assert set(TRANSITIONS.values()) == set(EnrollmentState)


def test_active_and_paused_are_all_that_is_no_end() -> None:
    assert set(EnrollmentState) - ENDS == {EnrollmentState.ACTIVE, EnrollmentState.PAUSED}


def test_every_end_can_be_reached_from_a_pause_too() -> None:
    reached = {after for (before, _), after in TRANSITIONS.items() if before is EnrollmentState.PAUSED}
    assert reached >= ENDS


@given(st.sampled_from(sorted(ENDS)), st.lists(st.sampled_from(Event), min_size=1))
def test_no_end_is_ever_left(end: EnrollmentState, events: list[Event]) -> None:
    for event in events:
        with pytest.raises(IllegalTransitionError):
            transition(end, event)


@given(st.lists(st.sampled_from(Event)))
def test_a_walk_over_any_events_stays_in_the_table(events: list[Event]) -> None:
    state: EnrollmentState | None = None
    for event in events:
        if (state, event) in TRANSITIONS:
            was_end = state in ENDS
            state = transition(state, event)
            assert not was_end


def test_resuming_what_runs_is_no_transition() -> None:
    with pytest.raises(IllegalTransitionError, match="resume does not lead on from active"):
        transition(EnrollmentState.ACTIVE, Event.RESUME)
