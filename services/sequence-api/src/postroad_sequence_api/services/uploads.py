"""Files on their way in: kept piece by piece, and a job when the last one is durable."""

import codecs
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from postroad_common.db import RETRYABLE, queries
from postroad_common.ids import new_id
from postroad_sequence_api.context import Desk, Last, Work
from postroad_sequence_api.csv_import.records import DELIMITERS, Broken, Reader, sniff
from postroad_sequence_api.errors import BadRequestError, ConflictError, InvalidFieldError, TooLargeError
from postroad_sequence_api.jobs.file import PIECE_BYTES
from postroad_sequence_api.models.jobs import FileForm, Job, JobKind
from postroad_sequence_api.services import jobs

_SQL: Final = queries("postroad_sequence_api", "jobs")
_PATIENCE: Final = timedelta(minutes=10)
"""For the next piece; after it the upload counts as broken off."""
_DELETED_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class Wanted:
    """The job that a file is for. params_of makes its params of the header's cells, or refuses them."""

    kind: JobKind
    created_by: UUID
    params_of: Callable[[Sequence[str]], dict[str, Any]]


async def receive(desk: Desk, wanted: Wanted, form: FileForm, body: AsyncIterable[bytes]) -> Last[Job]:
    """Store a file; the last step queues its job. The header is looked at as soon as it is here.

    Raises what params_of raises, InvalidFieldError without a header, TooLargeError, BadRequestError for what is no CSV;
    then nothing is kept.
    """
    job_id = new_id()
    async with desk.work() as work:
        await jobs.require_room(work)
        await work.do(_SQL.receive, job_id, wanted.kind, wanted.created_by, _PATIENCE)
    try:
        incoming = _Incoming(wanted, form, body, desk.context.settings.import_bytes)
        params, position = await _store(desk, job_id, incoming)
    except BaseException:
        with suppress(*RETRYABLE):  # it is deleted when its lease is over
            await _drop(desk, job_id)
        raise

    async def queue(work: Work) -> Job:
        if await work.find(_SQL.queue_received, job_id, params, position, position["offset"]) is None:
            raise _abandoned()
        work.queued = True
        return await jobs.get(work, job_id)

    return Last(queue)


async def _store(desk: Desk, job_id: UUID, incoming: "_Incoming") -> tuple[dict[str, Any], dict[str, int]]:
    """What the job is given, and where it begins."""
    number = 0
    params: dict[str, Any] = {}
    position: dict[str, int] = {}
    async for piece in incoming.pieces():
        if number == 0:
            params, position = incoming.read_header(piece)
        async with desk.work() as work:
            if await work.find(_SQL.add_input, job_id, number, piece, _PATIENCE) is None:
                raise _abandoned()
        number += 1
    return params, position


def _abandoned() -> ConflictError:
    return ConflictError("upload_abandoned", "The upload came to a halt for too long: send the file again.")


async def _drop(desk: Desk, job_id: UUID) -> None:
    async with desk.work() as work:
        while await work.all(_SQL.delete_input, job_id, _DELETED_AT_ONCE):
            pass
        await work.do(_SQL.drop_received, job_id)


class _Incoming:
    """A body on its way: counted, in an encoding that can be read line by line, in pieces of one size."""

    def __init__(self, wanted: Wanted, form: FileForm, body: AsyncIterable[bytes], limit: int) -> None:
        self._wanted = wanted
        self._form = form
        self._body = body
        self._limit = limit
        self._encoding: str | None = None if form.encoding == "utf-16" else form.encoding

    async def pieces(self) -> AsyncIterator[bytes]:
        """The file in pieces of PIECE_BYTES, the last one smaller; at least one."""
        held = bytearray()
        given = False
        async for part in self._in_lines_of_bytes():
            held += part
            while len(held) >= PIECE_BYTES:
                yield bytes(held[:PIECE_BYTES])
                del held[:PIECE_BYTES]
                given = True
        if held or not given:
            yield bytes(held)

    def read_header(self, first: bytes) -> tuple[dict[str, Any], dict[str, int]]:
        """The job's parameters and the place of the first row, from the first piece; raises when there is no header."""
        text = first.partition(b"\n")[0].decode(errors="replace")
        delimiter = DELIMITERS[self._form.delimiter] if self._form.delimiter else sniff(text)
        reader = Reader(delimiter, encoding=self._encoding)
        reader.feed(first)
        if len(first) < PIECE_BYTES:
            reader.end()
        found = reader.take(1)
        if not found or isinstance(found[0], Broken):
            reason = f": {found[0].reason}" if found and isinstance(found[0], Broken) else ""
            raise InvalidFieldError("header", f"is missing{reason}. The first line names the columns")
        if any("\x00" in cell for cell in found[0].cells):
            raise InvalidFieldError("header", "must not contain NUL")
        params = {
            **self._wanted.params_of(found[0].cells),
            "delimiter": next(name for name, sign in DELIMITERS.items() if sign == delimiter),
            "encoding": self._encoding,
            "header": found[0].cells,
        }
        return params, {"offset": reader.place.offset, "line": reader.place.line}

    async def _in_lines_of_bytes(self) -> AsyncIterator[bytes]:
        """The body, UTF-16 as UTF-8: its lines end with bytes that mean something else inside its characters."""
        parts = self._counted()
        start = b""
        async for part in parts:
            start += part
            if len(start) >= _TELLING:
                break
        decoder = self._decoder(start)
        try:
            yield start if decoder is None else decoder.decode(start).encode()
            async for part in parts:
                yield part if decoder is None else decoder.decode(part).encode()
            if decoder is not None:
                yield decoder.decode(b"", final=True).encode()
        except UnicodeError as error:
            raise BadRequestError("not_utf16", f"The file begins as UTF-16 and goes on as none: {error}.") from error

    def _decoder(self, start: bytes) -> codecs.IncrementalDecoder | None:
        if start.startswith(b"PK\x03\x04"):
            raise BadRequestError("not_csv", "The file is an Excel workbook or a ZIP archive: save it as CSV.")
        codec = _utf_16(start) or ("utf-16" if self._form.encoding == "utf-16" else None)
        if codec is None:
            return None
        self._encoding = None
        return codecs.getincrementaldecoder(codec)()

    async def _counted(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._body:
            size += len(part)
            if size > self._limit:
                raise TooLargeError(self._limit)
            yield part


_TELLING: Final = 4
"""Bytes at the beginning of a file that tell UTF-16 from the rest."""


def _utf_16(start: bytes) -> str | None:
    """The codec of a file that begins with UTF-16's byte order mark, or with Latin letters in it."""
    if start[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        return "utf-16"
    zeros = "".join("0" if byte == 0 else "x" for byte in start[:_TELLING])
    return {"x0x0": "utf-16-le", "0x0x": "utf-16-be"}.get(zeros)
