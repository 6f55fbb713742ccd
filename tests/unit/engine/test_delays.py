"""How people write delays and times of day."""

from contextlib import suppress
from datetime import time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad_engine.delays import format_delay, format_time_of_day, in_words, parse_delay, parse_time_of_day
from postroad_engine.errors import DelayError, TimeOfDayError


@pytest.mark.parametrize(
    ("text", "delay"),
    [
        ("3d", timedelta(days=3)),
        ("2h", timedelta(hours=2)),
        ("90m", timedelta(minutes=90)),
        ("5s", timedelta(seconds=5)),
        ("1w", timedelta(weeks=1)),
        (" 2 d ", timedelta(days=2)),
        (3600, timedelta(hours=1)),
        (0, timedelta(0)),
        ("365d", timedelta(days=365)),
    ],
)
def test_a_delay_is_read_as_people_write_it(text: object, delay: timedelta) -> None:
    assert parse_delay(text) == delay


@pytest.mark.parametrize(
    "text",
    ["", "3", "3 days", "d", "-1d", "366d", "99999999999d", "1.5h", "٣d", -1, 1.0, True, None, [], "5s\n5s", 10**30],
)
def test_what_is_no_delay_is_refused_in_words(text: object) -> None:
    with pytest.raises(DelayError, match="delay"):
        parse_delay(text)


@given(
    st.timedeltas(timedelta(0), timedelta(days=365)).map(lambda span: timedelta(seconds=span // timedelta(seconds=1)))
)
def test_a_written_delay_reads_back_as_itself(delay: timedelta) -> None:
    assert parse_delay(format_delay(delay)) == delay


@given(st.one_of(st.text(max_size=12), st.integers(), st.floats(), st.none(), st.booleans()))
def test_any_value_is_a_delay_or_a_delay_error(value: object) -> None:
    with suppress(DelayError):
        assert timedelta(0) <= parse_delay(value) <= timedelta(days=365)


@pytest.mark.parametrize(
    ("text", "wall"), [("09:30", time(9, 30)), ("9:30", time(9, 30)), ("00:00", time(0)), ("23:59", time(23, 59))]
)
def test_a_time_of_day_is_read(text: str, wall: time) -> None:
    assert parse_time_of_day(text) == wall
    assert parse_time_of_day(format_time_of_day(wall)) == wall


@pytest.mark.parametrize(
    "text", ["24:00", "9", "09:60", "9:3", "", "٠٩:٣٠", None, 9.5, 1440, True, time.fromisoformat("09:00+01:00")]
)
def test_what_is_no_time_of_day_is_refused(text: object) -> None:
    with pytest.raises(TimeOfDayError):
        parse_time_of_day(text)


def test_a_time_that_yaml_read_as_a_number_is_refused_with_the_cure() -> None:
    with pytest.raises(TimeOfDayError, match='quotes: "10:30"'):
        parse_time_of_day(630)


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(0), "0 seconds"),
        (timedelta(days=3), "3 days"),
        (timedelta(days=1), "1 day"),
        (timedelta(hours=1, minutes=30, seconds=5), "1 hour 30 minutes"),
    ],
)
def test_a_span_reads_as_people_say_it(span: timedelta, words: str) -> None:
    assert in_words(span) == words
