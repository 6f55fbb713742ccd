"""Lists that come in pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from postroad.requests import Request

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """Part of a list."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    items: tuple[T, ...]
    next: str | None
    """What to ask for as `after`; None: that was all."""


class Pages(Generic[T]):
    """A list: iterate over all its items, which asks for a page when it comes to it, or over its pages.

    Each iteration begins anew. The `limit` of the method that gave it is the size of a page.
    """

    def __init__(self, ask: Callable[[Request], Page[T]], request: Request) -> None:
        self._ask = ask
        self._request = request

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.items

    def pages(self) -> Iterator[Page[T]]:
        """One page after the other."""
        request = self._request
        while True:
            page = self._ask(request)
            yield page
            if page.next is None:
                return
            request = request.after(page.next)

    def first(self) -> T | None:
        """The first item, None when there is none."""
        return next(iter(self), None)


class AsyncPages(Generic[T]):
    """A list: iterate over all its items, which asks for a page when it comes to it, or over its pages.

    Each iteration begins anew. The `limit` of the method that gave it is the size of a page.
    """

    def __init__(self, ask: Callable[[Request], Awaitable[Page[T]]], request: Request) -> None:
        self._ask = ask
        self._request = request

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in page.items:
                yield item

    async def pages(self) -> AsyncIterator[Page[T]]:
        """One page after the other."""
        request = self._request
        while True:
            page = await self._ask(request)
            yield page
            if page.next is None:
                return
            request = request.after(page.next)

    async def first(self) -> T | None:
        """The first item, None when there is none."""
        async for page in self.pages():
            if page.items:
                return page.items[0]
        return None
