"""Group commit: one write for all who wait, bounded, and nobody left waiting."""

import asyncio
from collections.abc import Sequence

import pytest

from postroad_tracker.collector import Bounds, Collector
from postroad_tracker.errors import StoreUnavailableError

Outcome = int | StoreUnavailableError


def collector(writes: list[list[int]], *, bounds: Bounds | None = None) -> Collector[int, int]:
    async def write(batch: Sequence[int]) -> list[Outcome]:
        writes.append(list(batch))
        return [StoreUnavailableError("odd") if job % 2 else job * 10 for job in batch]

    return Collector(write, weigh=lambda job: job, bounds=bounds or Bounds(max_jobs=10, max_weight=100))


async def waiting(one: Collector[int, int], *jobs: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(one.submit(job)) for job in jobs]
    await asyncio.sleep(0)
    return tasks


async def test_all_who_wait_are_answered_by_one_write_each_with_its_own_result() -> None:
    writes: list[list[int]] = []
    one = collector(writes)
    tasks = await waiting(one, 2, 3, 4)
    await one.write_once()
    assert writes == [[2, 3, 4]]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[0::2] == [20, 40]
    assert isinstance(results[1], StoreUnavailableError)


async def test_what_does_not_fit_is_refused_at_once() -> None:
    one = collector([], bounds=Bounds(max_jobs=2, max_weight=100))
    tasks = await waiting(one, 2, 4)
    with pytest.raises(StoreUnavailableError):
        await one.submit(6)
    await one.write_once()
    assert await asyncio.gather(*tasks) == [20, 40]


async def test_waiting_is_bounded_by_weight_too_but_one_heavy_job_alone_gets_through() -> None:
    writes: list[list[int]] = []
    one = collector(writes, bounds=Bounds(max_jobs=10, max_weight=100, batch_weight=50))
    tasks = await waiting(one, 200)
    with pytest.raises(StoreUnavailableError):
        await one.submit(2)
    await one.write_once()
    assert await asyncio.gather(*tasks) == [2000]


async def test_batch_ends_where_its_weight_does() -> None:
    writes: list[list[int]] = []
    one = collector(writes, bounds=Bounds(max_jobs=10, max_weight=1000, batch_weight=50))
    tasks = await waiting(one, 30, 20, 2)
    await one.write_once()
    await one.write_once()
    assert writes == [[30, 20], [2]]
    await asyncio.gather(*tasks)


async def test_job_whose_caller_has_gone_is_not_written() -> None:
    writes: list[list[int]] = []
    one = collector(writes)
    gone, stays = await waiting(one, 2, 4)
    gone.cancel()
    await asyncio.sleep(0)
    await one.write_once()
    assert writes == [[4]]
    assert await stays == 40


async def test_callers_of_a_write_that_is_cut_off_learn_that_nothing_is_known() -> None:
    started = asyncio.Event()

    async def write(batch: Sequence[int]) -> list[Outcome]:
        started.set()
        await asyncio.Event().wait()
        return []

    one: Collector[int, int] = Collector(write, weigh=lambda _: 1, bounds=Bounds(max_jobs=2, max_weight=9))
    (task,) = await waiting(one, 2)
    writer = asyncio.create_task(one.run())
    await started.wait()
    writer.cancel()
    with pytest.raises(StoreUnavailableError):
        await task
    with pytest.raises(asyncio.CancelledError):
        await writer
