"""The demo's comparison is not blind: a single wrong count on the services' side is seen."""

from __future__ import annotations

import pytest

from examples.demo.people import Ending, person
from examples.demo.tally import ENDS, EVENTS, PER_STEP, Tally, compare
from postroad.models import SequenceStats
from tests.unit.described import a

SEQUENCE_ID = "01900000-0000-7000-8000-000000000001"


def played() -> Tally:
    """Three people: one got all three mails, one replied to the first, one was refused."""
    tally = Tally()
    for step in (1, 2, 3):
        tally.saw(step, "accepted", "ada")
        tally.arrived["ada"] += 1
    tally.did(1, "opened", "ada")
    tally.did(1, "opened", "ada")
    tally.saw(1, "accepted", "lin")
    tally.arrived["lin"] += 1
    tally.did(1, "replied", "lin")
    tally.ends["lin"] = "replied"
    tally.saw(1, "refused", "gone")
    tally.saw(1, "bounced", "gone")
    tally.ends["gone"] = "bounced"
    return tally


REPORTED = {"ada": "completed", "lin": "replied", "gone": "bounced"}
COUNTS = {
    1: {"accepted": 2, "refused": 1, "opened": 1, "replied": 1, "bounced": 1},
    2: {"accepted": 1},
    3: {"accepted": 1},
}
TRUE_ENDS = {"completed": 1, "replied": 1, "bounced": 1}
TRUE_EVENTS = {"opened": 2, "replied": 1}


def stats(counts: dict[int, dict[str, int]], ends: dict[str, int]) -> SequenceStats:
    steps: list[dict[str, object]] = [
        {"key": f"s{step}", "number": step, "due": 0, "sent": 0, **dict.fromkeys(PER_STEP, 0), **counts[step]}
        for step in (1, 2, 3)
    ]
    enrollments = {"total": 3, "active": 0, "paused": 0} | dict.fromkeys(ENDS, 0) | ends
    return SequenceStats.model_validate(
        a("SequenceStats", sequence_id=SEQUENCE_ID, enrollments=enrollments, steps=steps)
    )


def wrong(counts: dict[int, dict[str, int]], ends: dict[str, int], events: dict[str, int]) -> list[str]:
    lines = compare(played(), REPORTED, stats(counts, ends), events, verified=True)
    return [line.name for line in lines if not line.agrees]


def test_what_was_counted_the_same_agrees() -> None:
    assert wrong(COUNTS, TRUE_ENDS, TRUE_EVENTS) == []


@pytest.mark.parametrize("what", PER_STEP)
@pytest.mark.parametrize("step", [1, 2, 3])
def test_one_mail_more_in_any_count_of_any_step_is_seen(step: int, what: str) -> None:
    counts = {**COUNTS, step: {**COUNTS[step], what: COUNTS[step].get(what, 0) + 1}}
    assert wrong(counts, TRUE_ENDS, TRUE_EVENTS) == [f"step {step} s{step}: {what}"]


@pytest.mark.parametrize("end", ENDS)
def test_one_end_more_is_seen(end: str) -> None:
    assert wrong(COUNTS, {**TRUE_ENDS, end: TRUE_ENDS.get(end, 0) + 1}, TRUE_EVENTS) == [f"ended {end}"]


@pytest.mark.parametrize("what", EVENTS)
def test_an_event_stored_twice_or_lost_is_seen(what: str) -> None:
    assert wrong(COUNTS, TRUE_ENDS, {**TRUE_EVENTS, what: TRUE_EVENTS.get(what, 0) + 1}) == [f"{what} events"]


def test_a_wrong_end_of_one_person_is_seen_although_the_sums_are_right() -> None:
    swapped = {"ada": "replied", "lin": "completed", "gone": "bounced"}
    lines = compare(played(), swapped, stats(COUNTS, TRUE_ENDS), TRUE_EVENTS, verified=True)
    assert [(line.name, line.services) for line in lines if not line.agrees] == [("people with another end", 2)]


def test_a_broken_rule_and_a_fault_seen_by_the_recipients_are_disagreements() -> None:
    tally = played()
    tally.faults.append("step 1 to ada came twice")
    lines = compare(tally, REPORTED, stats(COUNTS, TRUE_ENDS), TRUE_EVENTS, verified=False)
    assert [line.name for line in lines if not line.agrees] == [
        "faults seen by the player",
        "rules broken, says verify",
    ]


def test_the_same_seed_plays_the_same_person_and_another_seed_another_crowd() -> None:
    crowd = [f"p{number}@example.com" for number in range(300)]
    first, again, other = ([person(seed, email) for email in crowd] for seed in (1, 1, 2))
    assert first == again != other
    endings = {deed.ending for one in first for deed in one.deeds}
    assert endings == {None, *Ending}, "every ending is played"
