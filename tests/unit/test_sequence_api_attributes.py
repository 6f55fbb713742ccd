"""The types of custom attributes: what a cell or a JSON value becomes, or why it does not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad_sequence_api.attributes import AttributeType, MisfitError, checked, fitted, read_cell

T = AttributeType


@pytest.mark.parametrize(
    ("type_", "cell", "value"),
    [
        (T.TEXT, "007", "007"),
        (T.NUMBER, "007", 7),
        (T.NUMBER, "-2.50", -2.5),
        (T.NUMBER, "1e3", 1000),
        (T.BOOLEAN, "Yes", True),
        (T.BOOLEAN, "0", False),
        (T.DATE, "2026-12-31", "2026-12-31"),
        (T.DATETIME, "2026-12-31", "2026-12-31T00:00:00.000Z"),
        (T.DATETIME, "2026-12-31 10:30+01:00", "2026-12-31T09:30:00.000Z"),
        (T.DATETIME, "2026-12-31T09:30:00.123999Z", "2026-12-31T09:30:00.123Z"),
    ],
)
def test_a_cell_becomes_the_value_that_its_type_says(type_: AttributeType, cell: str, value: Any) -> None:
    assert read_cell(type_, cell) == value
    assert type(read_cell(type_, cell)) is type(value)


@pytest.mark.parametrize(
    ("type_", "cell"),
    [
        (T.TEXT, "a\x00b"),
        (T.TEXT, "x" * 2001),
        *((T.NUMBER, cell) for cell in ("", "1,5", "1.234,5", "12 €", "nan", "inf", "0x10", "1e400", "٣", "1e17")),
        *((T.BOOLEAN, cell) for cell in ("maybe", "2", "")),
        *((T.DATE, cell) for cell in ("31.12.2026", "2026-02-30", "2026-1-1", "0000-01-01", "2026-12-31T00:00:00Z")),
        *(
            (T.DATETIME, cell)
            for cell in ("2026-12-31T09:30:00", "noon", "2026-12-31T25:00:00Z", "0001-01-01T00:00+14:00")
        ),
    ],
)
def test_a_cell_that_its_type_does_not_take_says_what_it_takes(type_: AttributeType, cell: str) -> None:
    with pytest.raises(ValueError, match="must"):
        read_cell(type_, cell)


@given(st.sampled_from(AttributeType), st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none()))
def test_any_value_is_taken_or_refused_and_what_is_stored_is_taken_again(type_: AttributeType, value: Any) -> None:
    try:
        stored = checked(type_, value)
    except ValueError as error:
        assert str(error).startswith("must")  # noqa: PT017 - both ways are right
    else:
        assert checked(type_, stored) == stored or stored != stored  # noqa: PLR0124 - NaN, which no JSON holds


def test_values_without_a_type_stay_as_they_are_and_the_misfit_is_named() -> None:
    assert fitted({"n": T.NUMBER}, {"n": 1, "free": "x"}) == {"n": 1, "free": "x"}
    with pytest.raises(MisfitError) as caught:
        fitted({"n": T.NUMBER}, {"n": "one"})
    assert (caught.value.name, caught.value.reason) == ("n", "must be a number")
