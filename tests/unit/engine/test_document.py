"""Steps as JSON and YAML carry them."""

from datetime import time, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad_engine.definition import MAX_STEPS, EmailStep, validate
from postroad_engine.document import Invalid, parse_steps, steps_to_plain
from postroad_engine.errors import UnknownStepError
from tests.unit.engine.examples import email, sequence

TEMPLATE = "6f4b7a0e-0000-7000-8000-000000000001"


def step(**fields: object) -> dict[str, object]:
    return {"template_id": TEMPLATE} | fields


def errors_of(value: object) -> dict[str, str]:
    parsed = parse_steps(value)
    assert isinstance(parsed, Invalid)
    return {error.field: error.message for error in parsed.errors}


def test_steps_are_read_with_defaults_and_numbers() -> None:
    steps = parse_steps([step(delay="2h"), step(key="nudge", delay=5, preferred_time="09:30", thread="reply")])
    assert steps == (
        EmailStep("step-1", 1, timedelta(hours=2), UUID(TEMPLATE)),
        EmailStep("nudge", 2, timedelta(seconds=5), UUID(TEMPLATE), preferred_time=time(9, 30), thread="reply"),
    )


def test_each_wrong_field_is_named_by_its_path() -> None:
    assert errors_of([
        step(delay="3 fortnights", preferred_time="25:00"),
        "no mapping",
        step(template_id="x", thread="forward", colour="red"),
        step(kind="fax"),
        step(key=5),
    ]).keys() == {
        "steps[0].delay", "steps[0].preferred_time", "steps[1]", "steps[2].colour", "steps[2].template_id",
        "steps[2].thread", "steps[3].kind", "steps[4].key",
    }  # fmt: skip


@pytest.mark.parametrize("value", [None, {}, "steps", 5, b"x"])
def test_what_is_no_list_is_refused(value: object) -> None:
    assert errors_of(value) == {"steps": "steps are a list"}


def test_a_sequence_without_steps_is_refused() -> None:
    assert errors_of([]) == {"steps": "a sequence needs at least one step"}


def test_more_steps_than_the_limit_are_refused() -> None:
    assert "at most" in errors_of([step()] * (MAX_STEPS + 1))["steps"]


def test_the_same_key_twice_is_refused_and_both_are_named() -> None:
    assert errors_of([step(key="a"), step(key="b"), step(key="a")]) == {
        "steps[2].key": "steps[0] has the same key, 'a'"
    }


def test_a_first_step_that_replies_to_nothing_is_refused() -> None:
    assert errors_of([step(thread="reply")]).keys() == {"steps[0].thread"}


def test_a_key_not_given_is_none_that_another_step_has() -> None:
    steps = parse_steps([step(), step(key="step-1"), step()])
    assert not isinstance(steps, Invalid)
    assert [each.key for each in steps] == ["step-2", "step-1", "step-3"]


@pytest.mark.parametrize("key", ["", "A", "-a", "a" * 41, "a b", "ü", "a\n"])
def test_a_key_that_the_ledger_cannot_hold_is_refused(key: str) -> None:
    assert errors_of([step(key=key)]).keys() == {"steps[0].key"}


@pytest.mark.parametrize("delay", [timedelta(seconds=-1), timedelta(days=366)])
def test_a_version_from_anywhere_is_held_to_the_same_rules(delay: timedelta) -> None:
    wrong = (email(1), email(3, delay))
    assert {error.field for error in validate(wrong)} == {"steps[1].number", "steps[1].delay"}


def test_what_is_written_reads_back_as_itself() -> None:
    steps = parse_steps([step(), step(delay="36h", preferred_time="07:05", thread="reply")])
    assert not isinstance(steps, Invalid)
    assert parse_steps(steps_to_plain(steps)) == steps


def test_a_sequence_knows_its_steps_by_number() -> None:
    definition = sequence(email(1), email(2))
    assert definition.step(2).key == "step-2"
    assert definition.after(1) == email(2)
    assert definition.after(2) is None
    with pytest.raises(UnknownStepError):
        definition.step(0)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(["key", "kind", "template_id", "delay", "preferred_time", "thread", "other"])
plausible = st.one_of(json_values, st.sampled_from([TEMPLATE, "email", "new", "reply", "3d", "09:00", "a"]))


@given(st.one_of(json_values, st.lists(st.dictionaries(fields, plausible), max_size=4)))
def test_any_document_gives_steps_or_named_errors(value: Any) -> None:
    parsed = parse_steps(value)
    if isinstance(parsed, Invalid):
        assert parsed.errors
        assert all(error.field.startswith("steps") and error.message for error in parsed.errors)
    else:
        assert parsed
        assert not validate(parsed)
