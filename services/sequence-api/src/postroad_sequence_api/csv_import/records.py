"""CSV as people have it, piece by piece: a broken line does not take the next ones with it, and none is unbounded."""

import csv
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

DELIMITERS: Final = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
MOST_BYTES: Final = 2**20
"""Of a record: a longer line is passed over and reported."""
_MOST_LINES: Final = 100  # of one record: a quote that is never closed must not swallow the file
_SHOWN: Final = 400  # bytes of a broken line
_LONG_CELL: Final = csv.field_size_limit()
_BYTE_ORDER_MARK: Final = "\ufeff"


class Record(NamedTuple):
    """The cells of a record, and the line on which it begins, from 1. guessed: it is no UTF-8, but Windows-1252."""

    line: int
    cells: list[str]
    guessed: bool = False


class Broken(NamedTuple):
    """A line on which no record could be read. Reading goes on with the line after it."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record begins: at which byte, after how many lines."""

    offset: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class _CutLine:
    """What is kept of a line that is too long, and how many bytes it has."""

    head: bytes
    size: int


def sniff(header: str) -> str:
    """The delimiter of a file: the one that its first line has most of, outside quotes; a comma if none."""
    unquoted = "".join(header.split('"')[::2])
    return max(DELIMITERS.values(), key=unquoted.count)


class Reader:
    """Gives the records of a file whose bytes it is fed, from any place at which a record begins.

    Lines end as they like: with LF, CRLF or CR. Without an encoding a line is UTF-8, or Windows-1252 where that fails;
    with one, which must have ASCII's delimiters and line ends, it is that or broken.
    """

    def __init__(self, delimiter: str, *, encoding: str | None = None, place: Place | None = None) -> None:
        place = place or Place()
        self._delimiter = delimiter
        self._encoding = encoding
        self._offset, self._line = place.offset, place.line
        self._lines: deque[bytes | _CutLine] = deque()
        self._rest = b""
        self._left_out = 0
        self._ended = False

    @property
    def place(self) -> Place:
        """Where the next record begins."""
        return Place(self._offset, self._line)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the file."""
        lines = (self._rest + piece).splitlines(keepends=True)
        # A carriage return at the end may be half of a CRLF.
        self._rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        if lines and self._left_out:
            self._lines.append(self._cut(lines.pop(0)))
        self._lines.extend(lines)
        if len(self._rest) > MOST_BYTES:
            self._left_out += len(self._rest) - MOST_BYTES
            self._rest = self._rest[:MOST_BYTES]

    def end(self) -> None:
        """There are no more bytes."""
        if self._rest:
            self._lines.append(self._cut(self._rest) if self._left_out else self._rest)
        self._rest, self._ended = b"", True

    def take(self, most: int) -> list[Record | Broken]:
        """Up to so many records, blank ones left out; fewer, when more bytes are needed or the file is at its end."""
        found: list[Record | Broken] = []
        while self._lines and len(found) < most:
            one, lines = self._next(self._lines[0])
            if not lines:
                break
            for _ in range(lines):
                passed = self._lines.popleft()
                self._offset += len(passed) if isinstance(passed, bytes) else passed.size
            self._line += lines
            if isinstance(one, Broken) or any(one.cells):
                found.append(one)
        return found

    def _cut(self, line: bytes) -> _CutLine:
        cut = _CutLine(line[:_SHOWN], len(line) + self._left_out)
        self._left_out = 0
        return cut

    def _next(self, raw: bytes | _CutLine) -> tuple[Record | Broken, int]:
        """The record that begins on this line, and on how many lines it is; 0 when more bytes must tell."""
        line = self._line + 1
        if isinstance(raw, _CutLine) or len(raw) > MOST_BYTES:
            head = raw.head if isinstance(raw, _CutLine) else raw[:_SHOWN]
            return Broken(line, f"is longer than {MOST_BYTES:,} bytes", head.decode(errors="replace")), 1
        try:
            text, guessed = self._decoded(raw)
            if line == 1:
                text = text.removeprefix(_BYTE_ORDER_MARK)
            if b'"' not in raw and len(raw) <= _LONG_CELL:
                return Record(line, text.rstrip("\r\n").split(self._delimiter), guessed), 1
            cells = self._of_one_line(text)
        except (UnicodeDecodeError, csv.Error) as error:
            return Broken(line, _said(error, self._encoding), raw[:_SHOWN].decode(errors="replace")), 1
        if cells is not None:
            return Record(line, cells, guessed), 1
        return self._of_many_lines(line, text)

    def _decoded(self, raw: bytes) -> tuple[str, bool]:
        if self._encoding is not None:
            return raw.decode(self._encoding), False
        try:
            return raw.decode(), False
        except UnicodeDecodeError:
            return raw.decode("windows-1252"), True

    def _of_one_line(self, text: str) -> list[str] | None:
        """The cells, if no quote is open at the line's end. What follows a closed quote is taken as it stands."""
        reader = csv.reader([text, "\n"], delimiter=self._delimiter)
        cells = next(reader, [])
        return cells if reader.line_num == 1 else None

    def _of_many_lines(self, line: int, first: str) -> tuple[Record | Broken, int]:
        """The record whose open quote is closed on a later line: strictly, so that no quote closes another row's."""
        ahead = _Ahead(first)
        try:
            texts = ahead.texts(self._lines, self._decoded)
            reader = csv.reader(texts, delimiter=self._delimiter, strict=True)
            return Record(line, next(reader), ahead.guessed), reader.line_num
        except (UnicodeDecodeError, csv.Error):
            reason = "a quote is opened on this line and never closed"
            undecided = ahead.ran_out and not self._ended
            return Broken(line, reason, first), 0 if undecided else 1


class _Ahead:
    """The lines ahead of a quote that is open, as far as one record may reach."""

    def __init__(self, first: str) -> None:
        self.guessed = False
        self.ran_out = False
        self._first = first

    def texts(self, lines: deque[bytes | _CutLine], decoded: Callable[[bytes], tuple[str, bool]]) -> Iterator[str]:
        size = 0
        for number, raw in enumerate(lines):
            if isinstance(raw, _CutLine) or number == _MOST_LINES or (size := size + len(raw)) > MOST_BYTES:
                return
            text, guessed = decoded(raw)
            self.guessed |= guessed
            yield text if number else self._first
        self.ran_out = True


def _said(error: UnicodeDecodeError | csv.Error, encoding: str | None) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"is not {encoding}" if encoding is not None else "is neither UTF-8 nor Windows-1252"
    return str(error)
