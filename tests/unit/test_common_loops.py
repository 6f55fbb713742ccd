"""Loops: busy while there is work, patient in outages, gone when told."""

import asyncio
from datetime import timedelta

import pytest

from postroad_common.amqp.errors import PublishError
from postroad_common.loops import forever, is_outage

LONG = timedelta(hours=1)


async def test_a_loop_calls_again_at_once_while_there_is_more() -> None:
    left, stopping = 100, asyncio.Event()

    async def step() -> bool:
        nonlocal left
        left -= 1
        if not left:
            stopping.set()
        return left > 0

    async with asyncio.timeout(5):
        await forever(step, LONG, stopping=stopping)
    assert left == 0


async def test_a_loop_at_rest_can_be_woken() -> None:
    wake, stopping, rested = asyncio.Event(), asyncio.Event(), asyncio.Event()
    calls = 0

    async def step() -> None:
        nonlocal calls
        calls += 1
        rested.set()
        if calls == 2:
            stopping.set()

    running = asyncio.create_task(forever(step, LONG, wake=wake, stopping=stopping))
    await rested.wait()
    wake.set()
    async with asyncio.timeout(5):
        await running
    assert calls == 2


async def test_a_wake_during_a_step_is_not_lost() -> None:
    wake, stopping = asyncio.Event(), asyncio.Event()
    calls = 0

    async def step() -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            wake.set()
        else:
            stopping.set()

    async with asyncio.timeout(5):
        await forever(step, LONG, wake=wake, stopping=stopping)
    assert calls == 2


@pytest.mark.parametrize("error", [PublishError("away"), ConnectionRefusedError(), TimeoutError()])
async def test_an_outage_is_waited_out(error: Exception) -> None:
    stopping = asyncio.Event()
    calls = 0

    async def step() -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise error
        stopping.set()

    assert is_outage(error)
    async with asyncio.timeout(5):
        await forever(step, LONG, stopping=stopping)
    assert calls == 3


async def test_any_other_error_ends_the_loop() -> None:
    async def step() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await forever(step, LONG)


async def test_stopping_ends_a_rest_and_waits_for_a_step() -> None:
    stopping, inside, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def step() -> None:
        inside.set()
        await asyncio.sleep(0)
        finished.set()

    running = asyncio.create_task(forever(step, LONG, stopping=stopping))
    await inside.wait()
    stopping.set()
    async with asyncio.timeout(5):
        await running
    assert finished.is_set()
