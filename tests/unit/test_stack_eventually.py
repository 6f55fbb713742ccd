"""Waiting for a condition."""

from collections.abc import Iterator

import pytest

from postroad_stack import eventually


async def test_the_first_true_result_is_returned() -> None:
    answers: Iterator[int] = iter([0, 0, 7])
    assert await eventually(lambda: next(answers), interval=0) == 7


async def test_an_asynchronous_check_is_awaited() -> None:
    answers: Iterator[str] = iter(["", "done"])

    async def check() -> str:
        return next(answers)

    assert await eventually(check, interval=0) == "done"


async def test_a_failed_assertion_is_tried_again_and_shown_at_the_end() -> None:
    def check() -> bool:
        raise AssertionError("three of five")

    with pytest.raises(AssertionError, match="three of five"):
        await eventually(check, timeout=0, interval=0)


async def test_any_other_error_ends_the_wait_at_once() -> None:
    def check() -> bool:
        raise KeyError("typo")

    with pytest.raises(KeyError):
        await eventually(check)
