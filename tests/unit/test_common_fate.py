"""The fate of a message whose handler did not succeed, as a table."""

from datetime import timedelta

import pytest

from postroad_common.amqp.errors import Poison, Retry
from postroad_common.amqp.fate import Again, Park, Split, decide_fate, outage
from postroad_common.amqp.topology import DELIVERY_LIMIT, QUEUES, RUNGS, SENDER_DUE
from postroad_common.errors import ContractError

ONE, TEN, SIXTY = RUNGS
FAULT = ValueError("no")


@pytest.mark.parametrize(
    ("attempt", "items", "expected"),
    [
        (1, 1, Again(ONE, 2, counted=True, reason="ValueError: no")),
        (2, 1, Again(TEN, 3, counted=True, reason="ValueError: no")),
        (3, 1, Again(SIXTY, 4, counted=True, reason="ValueError: no")),
        (1, 50, Again(ONE, 2, counted=True, reason="ValueError: no")),
        (2, 50, Split(TEN, 3, "ValueError: no")),
        (3, 50, Split(SIXTY, 4, "ValueError: no")),
    ],
)
def test_a_fault_climbs_the_ladder_and_a_batch_that_failed_twice_is_split(
    attempt: int, items: int, expected: Again | Split
) -> None:
    assert decide_fate(FAULT, queue=SENDER_DUE, attempt=attempt, items=items) == expected


@pytest.mark.parametrize("items", [1, 50])
@pytest.mark.parametrize("attempt", [4, 5, 100])
def test_after_the_last_rung_comes_parking(attempt: int, items: int) -> None:
    fate = decide_fate(FAULT, queue=SENDER_DUE, attempt=attempt, items=items)
    assert isinstance(fate, Park)
    assert fate.reason == "ValueError: no"


@pytest.mark.parametrize("attempt", [1, 4, 50])
@pytest.mark.parametrize(
    ("delay", "rung"), [(0, ONE), (1, ONE), (1.5, TEN), (10, TEN), (11, SIXTY), (60, SIXTY), (3600, SIXTY)]
)
def test_a_retry_takes_the_rung_that_is_long_enough_and_is_never_counted(
    attempt: int, delay: float, rung: object
) -> None:
    fate = decide_fate(Retry("busy", timedelta(seconds=delay)), queue=SENDER_DUE, attempt=attempt, items=50)
    assert fate == Again(rung, attempt, counted=False, reason="busy")  # type: ignore[arg-type]  # a rung


@pytest.mark.parametrize("error", [Poison("bad"), ContractError("bad")])
def test_what_cannot_be_helped_is_parked_at_once(error: Exception) -> None:
    assert decide_fate(error, queue=SENDER_DUE, attempt=1, items=50) == Park("bad", "")


def test_an_outage_is_nobodys_fault() -> None:
    fate = outage(SENDER_DUE, 3, ConnectionError("away"))
    assert (fate.attempt, fate.counted, fate.rung) == (3, False, TEN)


def test_a_parked_error_names_the_place_and_is_bounded() -> None:
    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        raise ValueError("x" * 10_000)

    with pytest.raises(ValueError, match="x") as raised:
        deep(200)
    fate = decide_fate(raised.value, queue=SENDER_DUE, attempt=4, items=1)
    assert isinstance(fate, Park)
    assert len(fate.error) <= 4_000
    assert len(fate.reason) <= 500


@pytest.mark.parametrize("queue", QUEUES.values(), ids=lambda queue: queue.name)
def test_every_queue_is_a_bounded_quorum_queue_whose_dead_letters_are_kept(queue: object) -> None:
    declared = dict(queue.declarations())  # type: ignore[attr-defined]  # parametrize loses the type
    names = set(declared)
    for name, arguments in declared.items():
        assert arguments["x-queue-type"] == "quorum", name
        if not name.endswith(".parking"):
            assert arguments["x-dead-letter-strategy"] == "at-least-once", name
            assert arguments["x-overflow"] == "reject-publish", name
            assert arguments["x-max-length"], name
            assert arguments["x-dead-letter-routing-key"] in names, name
    assert declared[queue.name]["x-delivery-limit"] == DELIVERY_LIMIT  # type: ignore[attr-defined]  # likewise
    assert len(declared) == 5
