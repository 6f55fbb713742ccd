"""When a step is due, on every clock of the world."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroad_engine.calendar import due_at, next_wall_clock, skipped, wall_clock
from postroad_engine.errors import UnknownZoneError
from postroad_engine.zones import zone, zone_names
from tests.size import examples
from tests.unit.engine.examples import DAY, HOUR, at

BERLIN = zone("Europe/Berlin")
NEW_YORK = zone("America/New_York")
NINE = time(9, 0)
SECOND = timedelta(seconds=1)
START = datetime(2020, 1, 1, tzinfo=UTC)

names = st.sampled_from(sorted(zone_names()))
instants = st.integers(0, 18 * 365 * 86_400).map(lambda seconds: START + seconds * SECOND)
walls = st.times().map(lambda wall: wall.replace(microsecond=0))
delays = st.timedeltas(timedelta(0), timedelta(days=60)).map(lambda span: span - span % SECOND)
whole_days = st.integers(1, 60).map(lambda count: timedelta(days=count))


@cache
def clock_changes(name: str) -> list[datetime]:
    return list(_clock_changes(name))


def _clock_changes(name: str) -> Iterator[datetime]:
    """Each instant from 2020 to 2037 at which the zone's clocks change; none keeps one for less than 20 days."""
    where, start = zone(name), START
    while start.year < 2038:
        low, high = start, start + 20 * DAY
        before = low.astimezone(where).utcoffset()
        changed = high.astimezone(where).utcoffset() != before
        start = high
        while changed and high - low > SECOND:
            middle = low + (high - low) // 2 // SECOND * SECOND
            low, high = (middle, high) if middle.astimezone(where).utcoffset() == before else (low, middle)
        if changed:
            yield high


@st.composite
def moments(draw: st.DrawFn) -> tuple[ZoneInfo, datetime, time]:
    """A zone, an instant and a wall clock time; half of them near a change of that zone's clocks."""
    name = draw(names)
    if draw(st.booleans()) or not clock_changes(name):
        return zone(name), draw(instants), draw(walls)
    change = draw(st.sampled_from(clock_changes(name)))
    near = st.timedeltas(-26 * HOUR, 26 * HOUR).map(lambda span: change + span - span % SECOND)
    shown = st.timedeltas(-2 * HOUR, 2 * HOUR).map(lambda span: (change + span - span % SECOND).astimezone(zone(name)))
    return zone(name), draw(near), draw(shown.map(lambda local: local.time())) if draw(st.booleans()) else draw(walls)


def test_without_a_preferred_time_a_day_is_24_hours() -> None:
    the_day_before_clocks_go_forward = at("2026-03-28T12:00+01:00")
    assert due_at(the_day_before_clocks_go_forward, DAY, None, BERLIN) == at("2026-03-29T13:00+02:00")


def test_with_a_preferred_time_days_are_calendar_days() -> None:
    monday_evening = at("2026-03-02T17:00+01:00")
    assert due_at(monday_evening, 3 * DAY, NINE, BERLIN) == at("2026-03-05T09:00+01:00")


def test_calendar_days_are_those_of_the_contacts_zone() -> None:
    monday_night_in_berlin_tuesday_in_tokyo = at("2026-03-02T20:00+01:00")
    due = due_at(monday_night_in_berlin_tuesday_in_tokyo, DAY, NINE, zone("Asia/Tokyo"))
    assert due == at("2026-03-04T09:00+09:00")


def test_a_preferred_time_holds_its_wall_clock_over_a_change_of_clocks() -> None:
    assert due_at(at("2026-03-28T09:00+01:00"), DAY, NINE, BERLIN) == at("2026-03-29T09:00+02:00")


@pytest.mark.parametrize(
    ("anchor", "delay", "due"),
    [
        ("2026-03-02T08:00+01:00", timedelta(0), "2026-03-02T09:00+01:00"),
        ("2026-03-02T09:00+01:00", timedelta(0), "2026-03-02T09:00+01:00"),
        ("2026-03-02T09:01+01:00", timedelta(0), "2026-03-03T09:00+01:00"),
        ("2026-03-02T08:00+01:00", 2 * HOUR, "2026-03-03T09:00+01:00"),
        ("2026-03-02T17:00+01:00", 36 * HOUR, "2026-03-04T09:00+01:00"),
    ],
)
def test_other_delays_end_first_and_then_wait_for_the_preferred_time(anchor: str, delay: timedelta, due: str) -> None:
    assert due_at(at(anchor), delay, NINE, BERLIN) == at(due)


def test_a_time_that_the_day_skips_is_the_first_instant_after_the_gap() -> None:
    due = wall_clock(date(2026, 3, 8), time(2, 30), NEW_YORK)
    assert due == at("2026-03-08T03:00-04:00")
    assert skipped(due, time(2, 30), NEW_YORK)


def test_a_time_that_the_day_has_twice_is_the_first_of_the_two() -> None:
    due = wall_clock(date(2026, 11, 1), time(1, 30), NEW_YORK)
    assert due == at("2026-11-01T01:30-04:00")
    assert not skipped(due, time(1, 30), NEW_YORK)


def test_between_the_two_of_a_doubled_time_the_next_is_tomorrows() -> None:
    in_the_second_pass = at("2026-11-01T01:10-05:00")
    assert next_wall_clock(in_the_second_pass, time(1, 30), NEW_YORK) == at("2026-11-02T01:30-05:00")


def test_a_gap_of_half_an_hour_is_known() -> None:
    assert wall_clock(date(2026, 10, 4), time(2, 15), zone("Australia/Lord_Howe")) == at("2026-10-04T02:30+11:00")


def test_a_whole_day_that_was_skipped_is_the_start_of_the_next() -> None:
    assert wall_clock(date(2011, 12, 30), NINE, zone("Pacific/Apia")) == at("2011-12-31T00:00+14:00")


@pytest.mark.parametrize("name", ["Europe/Kiev", "Europe/Kyiv", "Asia/Calcutta", "US/Eastern", "UTC"])
def test_old_names_are_links_and_work(name: str) -> None:
    assert zone(name).key == name


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "europe/berlin", "../../etc/passwd", "Europe", "zones", "/UTC", "A\0B"]
)
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(UnknownZoneError):
        zone(name)


def test_the_machines_own_zones_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoneinfo.TZPATH", ("/nowhere",))
    monkeypatch.setenv("PYTHONTZPATH", "/nowhere")
    zone.__globals__["_load"].cache_clear()
    assert wall_clock(date(2026, 7, 1), NINE, zone("Europe/Berlin")) == at("2026-07-01T09:00+02:00")


@given(moments())
@settings(max_examples=examples(300))
def test_a_wall_clock_is_shown_exactly_or_is_the_first_instant_after_its_gap(
    moment: tuple[ZoneInfo, datetime, time],
) -> None:
    where, instant, wall = moment
    day = instant.astimezone(where).date()
    due = wall_clock(day, wall, where)
    local = due.astimezone(where).replace(tzinfo=None, fold=0)
    wanted = datetime.combine(day, wall)
    if local == wanted:
        assert due.astimezone(where).fold == 0
    else:
        just_before = (due - SECOND).astimezone(where).replace(tzinfo=None)
        assert just_before < wanted < local


@given(moments(), delays)
@settings(max_examples=examples(300))
def test_an_elapsed_delay_is_never_cut_short(moment: tuple[ZoneInfo, datetime, time], delay: timedelta) -> None:
    where, anchor, wall = moment
    due = due_at(anchor, delay, wall, where)
    if delay and not delay % DAY:
        assert due >= anchor
    else:
        assert anchor + delay <= due <= anchor + delay + 2 * DAY


@given(moments(), whole_days)
@settings(max_examples=examples(300))
def test_whole_days_lead_to_that_calendar_day_or_past_its_gap(
    moment: tuple[ZoneInfo, datetime, time], delay: timedelta
) -> None:
    where, due_near, wall = moment
    anchor = due_near - delay
    day = anchor.astimezone(where).date() + delay
    due = due_at(anchor, delay, wall, where)
    assert due.astimezone(where).date() == day or skipped(due, wall, where)
    assert due >= anchor


@given(moments(), st.timedeltas(timedelta(0), timedelta(days=3)), st.one_of(delays, whole_days), st.booleans())
@settings(max_examples=examples(300))
def test_a_later_anchor_is_never_due_earlier(
    moment: tuple[ZoneInfo, datetime, time], later: timedelta, delay: timedelta, preferred: bool
) -> None:
    where, due_near, wall = moment
    anchor, chosen = due_near - delay, wall if preferred else None
    assert due_at(anchor, delay, chosen, where) <= due_at(anchor + later, delay, chosen, where)


@given(moments())
@settings(max_examples=examples(300))
def test_a_preferred_time_comes_at_most_once_a_local_day(moment: tuple[ZoneInfo, datetime, time]) -> None:
    where, start, wall = moment
    seen = [next_wall_clock(start, wall, where)]
    for _ in range(3):
        seen.append(next_wall_clock(seen[-1] + SECOND, wall, where))
    local_days = [instant.astimezone(where).date() for instant in seen]
    assert local_days == sorted(set(local_days))


def test_hypothesis_is_given_the_changes_of_clocks() -> None:
    assert len(clock_changes("Europe/Berlin")) == 2 * 18
    assert clock_changes("Asia/Tokyo") == []
