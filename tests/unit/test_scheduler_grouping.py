"""Messages that wait are handled together, and each gets only its own fault."""

import asyncio
from collections.abc import Sequence

import pytest

from postroad_scheduler.grouping import Grouping


class Handler:
    """Notes the groups; holds them until told, and fails those with a bad item."""

    def __init__(self, *bad: str, error: Exception | None = None) -> None:
        self.groups: list[list[str]] = []
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self._bad = bad
        self._error = error or ValueError("bad item")

    async def __call__(self, items: Sequence[str]) -> None:
        self.groups.append(list(items))
        self.begun.set()
        await self.go.wait()
        if any(item in self._bad for item in items):
            raise self._error


async def add_all(grouping: Grouping[str], handler: Handler, items: Sequence[str]) -> list[BaseException | None]:
    """Add the first item, the others while it is at work; what adding each raised."""
    first = asyncio.create_task(grouping.add(items[0]))
    await handler.begun.wait()
    others = [asyncio.create_task(grouping.add(item)) for item in items[1:]]
    await asyncio.wait(others, timeout=0)
    handler.go.set()
    return await asyncio.gather(first, *others, return_exceptions=True)


async def test_what_waits_while_a_group_is_at_work_is_the_next_group() -> None:
    handler = Handler()
    assert await add_all(Grouping(handler, groups=1, size=10), handler, "abcd") == [None] * 4
    assert handler.groups == [["a"], ["b", "c", "d"]]


async def test_groups_stay_large_as_long_as_much_waits() -> None:
    sizes: list[int] = []

    async def handle(items: Sequence[int]) -> None:
        sizes.append(len(items))
        await asyncio.sleep(0)

    grouping = Grouping(handle, groups=2, size=1000)

    async def worker(items: Sequence[int]) -> None:
        for item in items:
            await grouping.add(item)

    await asyncio.gather(*(worker(range(10)) for _ in range(40)))
    assert sum(sizes) == 400
    assert len(sizes) <= 40, "a consumer's forty messages in hand make a few groups, not forty"


async def test_a_group_is_no_larger_than_its_size_and_nothing_is_left_waiting() -> None:
    handler = Handler()
    items = [str(number) for number in range(25)]
    assert await add_all(Grouping(handler, groups=2, size=4), handler, items) == [None] * 25
    assert max(map(len, handler.groups)) <= 4
    assert sorted(sum(handler.groups, [])) == sorted(items)  # noqa: RUF017 - a few


async def test_a_fault_is_its_own_items_and_no_others() -> None:
    handler = Handler("c")
    results = await add_all(Grouping(handler, groups=1, size=10), handler, "abcd")
    assert [type(result) for result in results] == [type(None), type(None), ValueError, type(None)]


async def test_an_outage_is_everybodys_and_nobody_is_tried_alone() -> None:
    handler = Handler("c", error=ConnectionError("the database is away"))
    results = await add_all(Grouping(handler, groups=1, size=10), handler, "abcd")
    assert isinstance(results[2], ConnectionError)
    assert len(handler.groups) <= 2


async def test_an_item_whose_adder_gave_up_holds_up_nobody() -> None:
    handler = Handler()
    grouping = Grouping(handler, groups=1, size=10)
    first, impatient, last = [asyncio.create_task(grouping.add(item)) for item in "abc"]
    await handler.begun.wait()
    impatient.cancel()
    handler.go.set()
    await asyncio.gather(first, last)
    with pytest.raises(asyncio.CancelledError):
        await impatient
