"""HTTP to the API, waiting and awaiting: what is asked, read and tried again is decided by the same functions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import httpx

from postroad.answers import read
from postroad.errors import ConfigurationError, InputError
from postroad.pages import AsyncPages, Page, Pages
from postroad.requests import AsyncUpload, Request, Upload
from postroad.retries import Attempts, Patience
from postroad.streams import AsyncStream, Events, Lines, Parser, Parts, Stream

T = TypeVar("T")

_PART = 256 * 1024


class Transport:
    """One API's address with one bearer token.

    What asks raises ProblemError for a refusal, UnreachableError when nothing answers, UnexpectedAnswerError for an
    answer that is not the API's.
    """

    def __init__(
        self, url: str, token: str | None, *, timeout: float, patience: Patience, using: httpx.BaseTransport | None
    ) -> None:
        self._url, self._patience = url, patience
        try:
            self._http = httpx.Client(base_url=url, headers=_headers(token), timeout=timeout, transport=using)
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise _unusable(error) from error

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(self, request: Request, answer: type[T]) -> T:
        """Ask for one thing."""
        return read(self._send(request).content, answer)

    def upload(self, request: Request, content: Upload, answer: type[T]) -> T:
        """Send a file."""
        return read(self._send(request, content).content, answer)

    def do(self, request: Request) -> None:
        """Ask for what has no answer."""
        self._send(request)

    def pages(self, request: Request, page: type[Page[T]]) -> Pages[T]:
        """A list."""
        return Pages(lambda one: self.call(one, page), request)

    def rows(self, request: Request, item: type[T], *, resumes: bool = False) -> Stream[T]:
        """Lines of JSON. resumes: after a break it goes on behind the `cursor` of the last item."""
        return Stream(self._parts(request, lambda: Lines(item), resumes=resumes))

    def events(self, request: Request, item: type[T]) -> Stream[T]:
        """Server-sent events; after a break it looks again."""
        return Stream(self._parts(request, lambda: Events(item), resumes=True))

    def download(self, request: Request) -> Stream[bytes]:
        """A file in parts."""
        return Stream(self._parts(request, Parts, resumes=False))

    def _send(self, request: Request, upload: Upload | None = None) -> httpx.Response:
        request = request.once()
        return self._open(request, Attempts(request, self._patience, self._url), upload)

    def _open(
        self, request: Request, tries: Attempts, upload: Upload | None = None, *, stream: bool = False
    ) -> httpx.Response:
        while True:
            content = request.content() if upload is None else _read(upload)
            try:
                response = self._http.send(
                    self._http.build_request(**request.arguments(), content=content), stream=stream
                )
                if response.is_success:
                    return response
                response.read()
            except httpx.TransportError as error:
                pause = tries.after_error(error)
            else:
                pause = tries.after_refusal(response)
            time.sleep(pause)

    def _parts(self, request: Request, parser: Callable[[], Parser[T]], *, resumes: bool) -> Generator[T, None, None]:
        tries = Attempts(request, self._patience, self._url)
        while True:
            response, parsed, failure = self._open(request, tries, stream=True), parser(), None
            try:
                for part in response.iter_bytes():
                    for item in parsed.feed(part):
                        tries.came_further()
                        request = _behind(request, item)
                        yield item
                yield from parsed.end()
            except httpx.TransportError as error:
                failure = error
            finally:
                response.close()
            if failure is None and not parsed.is_cut:
                return
            time.sleep(tries.after_break(failure, resumable=resumes))


class AsyncTransport:
    """As Transport, awaited."""

    def __init__(
        self, url: str, token: str | None, *, timeout: float, patience: Patience, using: httpx.AsyncBaseTransport | None
    ) -> None:
        self._url, self._patience = url, patience
        try:
            self._http = httpx.AsyncClient(base_url=url, headers=_headers(token), timeout=timeout, transport=using)
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise _unusable(error) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def call(self, request: Request, answer: type[T]) -> T:
        """Ask for one thing."""
        return read((await self._send(request)).content, answer)

    async def upload(self, request: Request, content: AsyncUpload, answer: type[T]) -> T:
        """Send a file."""
        return read((await self._send(request, content)).content, answer)

    async def do(self, request: Request) -> None:
        """Ask for what has no answer."""
        await self._send(request)

    def pages(self, request: Request, page: type[Page[T]]) -> AsyncPages[T]:
        """A list."""
        return AsyncPages(lambda one: self.call(one, page), request)

    def rows(self, request: Request, item: type[T], *, resumes: bool = False) -> AsyncStream[T]:
        """Lines of JSON. resumes: after a break it goes on behind the `cursor` of the last item."""
        return AsyncStream(self._parts(request, lambda: Lines(item), resumes=resumes))

    def events(self, request: Request, item: type[T]) -> AsyncStream[T]:
        """Server-sent events; after a break it looks again."""
        return AsyncStream(self._parts(request, lambda: Events(item), resumes=True))

    def download(self, request: Request) -> AsyncStream[bytes]:
        """A file in parts."""
        return AsyncStream(self._parts(request, Parts, resumes=False))

    async def _send(self, request: Request, upload: AsyncUpload | None = None) -> httpx.Response:
        request = request.once()
        return await self._open(request, Attempts(request, self._patience, self._url), upload)

    async def _open(
        self, request: Request, tries: Attempts, upload: AsyncUpload | None = None, *, stream: bool = False
    ) -> httpx.Response:
        while True:
            content = request.content() if upload is None else _read_async(upload)
            try:
                response = await self._http.send(
                    self._http.build_request(**request.arguments(), content=content), stream=stream
                )
                if response.is_success:
                    return response
                await response.aread()
            except httpx.TransportError as error:
                pause = tries.after_error(error)
            else:
                pause = tries.after_refusal(response)
            await asyncio.sleep(pause)

    async def _parts(
        self, request: Request, parser: Callable[[], Parser[T]], *, resumes: bool
    ) -> AsyncGenerator[T, None]:
        tries = Attempts(request, self._patience, self._url)
        while True:
            response, parsed, failure = await self._open(request, tries, stream=True), parser(), None
            try:
                async for part in response.aiter_bytes():
                    for item in parsed.feed(part):
                        tries.came_further()
                        request = _behind(request, item)
                        yield item
                for item in parsed.end():
                    yield item
            except httpx.TransportError as error:
                failure = error
            finally:
                await response.aclose()
            if failure is None and not parsed.is_cut:
                return
            await asyncio.sleep(tries.after_break(failure, resumable=resumes))


def _headers(token: str | None) -> dict[str, str]:
    agent = {"User-Agent": f"postroad-python/{version('postroad')}"}
    return {**agent, "Authorization": f"Bearer {token}"} if token else agent


def _unusable(error: Exception) -> ConfigurationError:
    return ConfigurationError(f"The address or the key cannot be used: {error}.")


def _behind(request: Request, item: object) -> Request:
    """What to ask for after an item, where the request can say it."""
    cursor = getattr(item, "cursor", None)
    return request if cursor is None or "after" not in request.query else request.after(cursor)


def _read(upload: Upload) -> bytes | Iterable[bytes]:
    if isinstance(upload, Path):
        return _parts_of(upload)
    return upload if isinstance(upload, bytes) else upload()


def _read_async(upload: AsyncUpload) -> bytes | AsyncIterable[bytes]:
    if isinstance(upload, Path):
        return _parts_of_async(upload)
    return upload if isinstance(upload, bytes) else upload()


def _parts_of(file: Path) -> Generator[bytes, None, None]:
    """A file in parts. Raises InputError when it cannot be read."""
    try:
        with file.open("rb") as opened:
            while part := opened.read(_PART):
                yield part
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}.") from error


async def _parts_of_async(file: Path) -> AsyncGenerator[bytes, None]:
    parts = _parts_of(file)
    while part := await asyncio.to_thread(next, parts, b""):
        yield part
