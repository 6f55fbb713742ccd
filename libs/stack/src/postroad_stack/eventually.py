"""Polling in place of sleeping: wait for a condition with a limit, and say what was seen last."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(
    check: Callable[[], Awaitable[T | None]],
    *,
    timeout: float = ...,
    interval: float = ...,
    reason: str = ...,
) -> T: ...


@overload
async def eventually(
    check: Callable[[], T | None],
    *,
    timeout: float = ...,
    interval: float = ...,
    reason: str = ...,
) -> T: ...


async def eventually(
    check: Callable[[], T | Awaitable[T | None] | None],
    *,
    timeout: float = 10.0,
    interval: float = 0.02,
    reason: str = "",
) -> T:
    """Call `check` until what it returns is true, and return that.

    An AssertionError of `check` counts as "not yet". Times are seconds. Raises AssertionError that tells
    the last result, or shows the last assertion, when `timeout` has passed.
    """
    deadline = time.monotonic() + timeout
    while True:
        last: object
        cause: AssertionError | None = None
        try:
            seen = check()
            result = await seen if inspect.isawaitable(seen) else seen
            if result:
                return result
            last = result
        except AssertionError as error:
            last, cause = error, error
        if time.monotonic() >= deadline:
            what = reason or getattr(check, "__name__", "condition")
            raise AssertionError(f"{what} not met within {timeout:g} s; last seen: {last!r}") from cause
        await asyncio.sleep(interval)
