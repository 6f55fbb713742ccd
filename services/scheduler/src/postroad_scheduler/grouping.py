"""Deliveries that wait are handled together: one transaction for many messages, one message at a time when idle."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from postroad_common.lifecycle import is_outage

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Waiting(Generic[T]):
    item: T
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Grouping(Generic[T]):
    """Hands what was added while a group was at work to the next group, at most so many groups at once."""

    def __init__(self, handle: Callable[[Sequence[T]], Awaitable[None]], *, groups: int) -> None:
        self._handle = handle
        self._slots = asyncio.Semaphore(groups)
        self._waiting: list[_Waiting[T]] = []

    async def add(self, item: T) -> None:
        """Return when the item is handled. Raises what its own handling raised, never another item's fault."""
        mine = _Waiting(item)
        self._waiting.append(mine)
        async with self._slots:
            group, self._waiting = self._waiting, []
            if group:
                await self._run(group)
        await mine.done

    async def _run(self, group: Sequence[_Waiting[T]]) -> None:
        try:
            await self._handle([waiting.item for waiting in group])
        except Exception as error:  # noqa: BLE001 - raised to whoever added the item
            await self._on_error(group, error)
        else:
            for waiting in group:
                waiting.done.set_result(None)

    async def _on_error(self, group: Sequence[_Waiting[T]], error: Exception) -> None:
        """An outage is everybody's; any other fault is one item's, and the others go on without it."""
        if len(group) == 1 or is_outage(error):
            for waiting in group:
                waiting.done.set_exception(error)
            return
        for waiting in group:
            await self._run([waiting])
