"""The clients: the API's operations by noun, and what is worth a method of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import httpx

from postroad.async_operations import AsyncOperations
from postroad.models import Job
from postroad.operations import Operations
from postroad.requests import Id
from postroad.retries import Patience
from postroad.transport import AsyncTransport, Transport


class Client(Operations):
    """A tenant's API with its key, or the operator's endpoints with the operator's token.

    Methods raise PostroadError (see postroad.errors). 429, 503 and broken connections are tried again with patience;
    a POST has an Idempotency-Key, its own or one that is drawn, so that it is done once however often it is sent. An
    edit with if_match whose answer was lost is not sent again. May be used by several threads.

    timeout: seconds without a sign of life. transport: in the place of httpx's own.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = 60.0,
        patience: Patience | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._api = Transport(url.rstrip("/"), token, timeout=timeout, patience=patience or Patience(), using=transport)
        super().__init__(self._api)

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def wait_for_job(
        self,
        job: Job | Id,
        *,
        interval: float = 0.5,
        timeout: float | None = None,
        on_change: Callable[[Job], None] = lambda _: None,
    ) -> Job:
        """The job when it has ended, however it did: its `state` says.

        interval: seconds between two looks; on_change is called with the job at each. Raises TimeoutError after
        timeout seconds; the job goes on.
        """
        until = _deadline(timeout)
        while not _has_ended(now := self.jobs.get(_id_of(job)), on_change):
            _check(until, now)
            time.sleep(interval)
        return now


class AsyncClient(AsyncOperations):
    """As Client, awaited: lists and streams are iterated over with `async for`."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = 60.0,
        patience: Patience | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._api = AsyncTransport(
            url.rstrip("/"), token, timeout=timeout, patience=patience or Patience(), using=transport
        )
        super().__init__(self._api)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def wait_for_job(
        self,
        job: Job | Id,
        *,
        interval: float = 0.5,
        timeout: float | None = None,
        on_change: Callable[[Job], None] = lambda _: None,
    ) -> Job:
        """As Client.wait_for_job."""
        until = _deadline(timeout)
        while not _has_ended(now := await self.jobs.get(_id_of(job)), on_change):
            _check(until, now)
            await asyncio.sleep(interval)
        return now


def _id_of(job: Job | Id) -> Id:
    return job.id if isinstance(job, Job) else job


def _has_ended(job: Job, on_change: Callable[[Job], None]) -> bool:
    on_change(job)
    return job.ended_at is not None


def _deadline(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


def _check(until: float | None, job: Job) -> None:
    if until is not None and time.monotonic() >= until:
        raise TimeoutError(f"{job.kind} {job.id} has not ended: it is {job.state}")
