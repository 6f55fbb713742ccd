"""Asking the database with patience that ends: one that hangs must not hang those who wait for an answer."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from postroad_common.db import is_retryable
from postroad_tracker.errors import StoreUnavailableError

T = TypeVar("T")


async def within(limit: timedelta, work: Coroutine[Any, Any, T]) -> T:
    """The result of the work; raises StoreUnavailableError when the database is away or takes longer.

    Work that takes longer is cancelled but not waited for: on a dead connection even a rollback takes its time.
    """
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait({task}, timeout=limit.total_seconds())
    if not done:
        task.add_done_callback(_forget)
        task.cancel()
        raise StoreUnavailableError("the database does not answer in time")
    try:
        return task.result()
    except Exception as error:
        if is_retryable(error):
            raise StoreUnavailableError(repr(error)) from error
        raise


def _forget(task: asyncio.Future[Any]) -> None:
    """Take the outcome, so that nobody warns that it was not taken."""
    if not task.cancelled():
        task.exception()
