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
    size: int
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Grouping(Generic[T]):
    """Makes a group of what was added while others were at work: `groups` at once, each of about `size`."""

    def __init__(self, handle: Callable[[Sequence[T]], Awaitable[None]], *, groups: int, size: int) -> None:
        self._handle = handle
        self._groups = groups
        self._size = size
        self._waiting: list[_Waiting[T]] = []
        self._at_work = 0
        self._workers: set[asyncio.Task[None]] = set()  # the loop itself keeps no task alive

    async def add(self, item: T, *, size: int = 1) -> None:
        """Return when the item is handled. Raises what its own handling raised, never another item's fault."""
        mine = _Waiting(item, size)
        self._waiting.append(mine)
        if self._at_work < self._groups:
            self._at_work += 1
            worker = asyncio.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        await mine.done

    async def _work(self) -> None:
        """Handle group after group until nothing waits; whoever adds after that starts another worker."""
        while group := self._next():
            await self._run(group)
        self._at_work -= 1

    def _next(self) -> list[_Waiting[T]]:
        """The first of those that wait, as many as make a group."""
        size, count = 0, 0
        while count < len(self._waiting) and size < self._size:
            size += self._waiting[count].size
            count += 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    async def _run(self, group: Sequence[_Waiting[T]]) -> None:
        try:
            await self._handle([waiting.item for waiting in group])
        except Exception as error:  # noqa: BLE001 - raised to whoever added the item
            await self._on_error(group, error)
        else:
            for waiting in group:
                _end(waiting.done, None)

    async def _on_error(self, group: Sequence[_Waiting[T]], error: Exception) -> None:
        """An outage is everybody's; any other fault is one item's, and the others go on without it."""
        if len(group) == 1 or is_outage(error):
            for waiting in group:
                _end(waiting.done, error)
            return
        for waiting in group:
            await self._run([waiting])


def _end(done: asyncio.Future[None], error: Exception | None) -> None:
    """Whoever added the item may have been cancelled meanwhile."""
    if done.cancelled():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
