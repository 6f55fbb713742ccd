"""Group commit: concurrent callers wait together, and one write answers them all."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from postroad_tracker.errors import StoreUnavailableError

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait, and how much goes into one write. Weights are bytes, roughly."""

    max_jobs: int
    max_weight: int
    batch_jobs: int = 500
    batch_weight: int = 2 * 1024 * 1024


class Collector(Generic[Job, Result]):
    """A bounded queue in front of a batch write. What does not fit is refused at once, never kept waiting."""

    def __init__(
        self,
        write: Callable[[Sequence[Job]], Awaitable[Sequence[Result | StoreUnavailableError]]],
        *,
        weigh: Callable[[Job], int],
        bounds: Bounds,
    ) -> None:
        self._write = write
        self._weigh = weigh
        self._bounds = bounds
        self._waiting: deque[tuple[Job, int, asyncio.Future[Result]]] = deque()
        self._weight = 0
        self._filled = asyncio.Event()

    async def submit(self, job: Job) -> Result:
        """The result of the write that had the job in it; raises StoreUnavailableError."""
        weight = self._weigh(job)
        if len(self._waiting) >= self._bounds.max_jobs or (
            self._waiting and self._weight + weight > self._bounds.max_weight
        ):
            raise StoreUnavailableError("too much waits already")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((job, weight, future))
        self._weight += weight
        self._filled.set()
        return await future

    async def run(self) -> None:
        """Write batch after batch until cancelled; several may run at once."""
        while True:
            await self._filled.wait()
            await self.write_once()

    async def write_once(self) -> None:
        """Write what waits, as far as it fits into one batch."""
        batch = self._take()
        if not batch:
            return
        try:
            results = await self._write([job for job, _ in batch])
        except BaseException as error:
            unknown = StoreUnavailableError(f"the write did not end: {error!r}")
            _answer([future for _, future in batch], [unknown] * len(batch))
            raise
        _answer([future for _, future in batch], results)

    def _take(self) -> list[tuple[Job, asyncio.Future[Result]]]:
        """The next batch, without those whose callers have gone."""
        batch: list[tuple[Job, asyncio.Future[Result]]] = []
        weight = 0
        while self._waiting and len(batch) < self._bounds.batch_jobs:
            if batch and weight + self._waiting[0][1] > self._bounds.batch_weight:
                break
            job, own, future = self._waiting.popleft()
            self._weight -= own
            if not future.cancelled():
                batch.append((job, future))
                weight += own
        if not self._waiting:
            self._filled.clear()
        return batch


def _answer(futures: Sequence[asyncio.Future[Result]], results: Sequence[Result | StoreUnavailableError]) -> None:
    for future, result in zip(futures, results, strict=True):
        if future.done():
            continue
        if isinstance(result, StoreUnavailableError):
            future.set_exception(result)
        else:
            future.set_result(result)
