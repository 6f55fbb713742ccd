"""Answers that come in parts: lines of JSON, server-sent events, downloads."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from typing_extensions import override

from postroad.answers import read

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_ENDED = "ended"


class Stream(Generic[T], Iterator[T]):
    """What comes, one after the other. Read to its end it closes itself; else close it, or use it with `with`."""

    def __init__(self, source: Generator[T, None, None]) -> None:
        self._source = source

    @override
    def __next__(self) -> T:
        return next(self._source)

    def close(self) -> None:
        """Read no more."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncStream(Generic[T], AsyncIterator[T]):
    """What comes, one after the other. Read to its end it closes itself; else use it with `async with`."""

    def __init__(self, source: AsyncGenerator[T, None]) -> None:
        self._source = source

    @override
    async def __anext__(self) -> T:
        return await anext(self._source)

    async def aclose(self) -> None:
        """Read no more."""
        await self._source.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class Parser(Protocol[T_co]):
    """Takes a stream's parts, gives what they hold."""

    def feed(self, part: bytes) -> Iterator[T_co]:
        """What is whole with this part."""
        ...

    def end(self) -> Iterator[T_co]:
        """What is whole because nothing comes any more."""
        ...

    @property
    def is_cut(self) -> bool:
        """After the end: whether there should have been more."""
        ...


class Parts:
    """A download as it comes."""

    is_cut = False

    def feed(self, part: bytes) -> Iterator[bytes]:
        """The part."""
        yield part

    def end(self) -> Iterator[bytes]:
        """Nothing."""
        yield from ()


class Lines(Generic[T]):
    """NDJSON: a value a line."""

    is_cut = False

    def __init__(self, item: type[T]) -> None:
        self._item = item
        self._rest = b""

    def feed(self, part: bytes) -> Iterator[T]:
        """The values of the lines that ended."""
        *lines, self._rest = (self._rest + part).split(b"\n")
        yield from (read(line, self._item) for line in lines if line.strip())

    def end(self) -> Iterator[T]:
        """The value of a last line without an end."""
        if self._rest.strip():
            yield read(self._rest, self._item)


class Events(Generic[T]):
    """Server-sent events (WHATWG HTML 9.2.6) with JSON as data; one called `ended` is the last."""

    def __init__(self, item: type[T]) -> None:
        self._item = item
        self._rest = ""
        self._data: list[str] = []
        self._type = ""
        self._has_ended = False

    @property
    def is_cut(self) -> bool:
        """Whether it ended without its last event."""
        return not self._has_ended

    def feed(self, part: bytes) -> Iterator[T]:
        """The events that are whole. Postroad ends lines with a line feed, and a character may be cut."""
        *lines, self._rest = (self._rest + part.decode("latin-1")).split("\n")
        for line in lines:
            if line:
                self._field(*line.encode("latin-1").decode().partition(":")[::2])
            elif self._data:
                data, self._data = self._data, []
                self._has_ended, self._type = self._type == _ENDED, ""
                yield read("\n".join(data), self._item)

    def end(self) -> Iterator[T]:
        """Nothing: an event without its empty line is not whole."""
        yield from ()

    def _field(self, name: str, value: str) -> None:
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._type = value
