"""CSV as people have it: records over one or more lines, and a broken one does not take the next ones with it."""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_DELIMITERS: Final = ",;\t"
_MOST_LINES: Final = 100  # of one record: a quote that is never closed must not swallow the file


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of a record, and the line on which it begins, from 1."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """A line on which no record could be read. Reading goes on with the line after it."""

    line: int
    reason: str
    text: str


def sniff(header: str) -> str:
    """The delimiter of a file: the one that its first line has most of, outside quotes; a comma if none."""
    unquoted = "".join(header.split('"')[::2])
    return max(_DELIMITERS, key=unquoted.count)


class Records:
    """Iterates over the records of a file, given its lines with their ends."""

    def __init__(self, lines: Iterator[str], delimiter: str) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self._delimiter = delimiter
        self._line = 0

    def __iter__(self) -> Iterator[Record | Broken]:
        while True:
            first = self._line + 1
            taken: list[str] = []
            cells, reason = self._read(taken)
            if not taken:
                return
            if reason is None and len(taken) > 1:
                reason = _unclosed(taken)
            if reason is not None:
                self._give_back(taken[1:])
                yield Broken(first, reason, taken[0])
            elif any(cells):
                yield Record(first, tuple(cells))

    def _read(self, taken: list[str]) -> tuple[list[str], str | None]:
        try:
            return next(csv.reader(self._take(taken), delimiter=self._delimiter), []), None
        except csv.Error as error:
            return [], str(error)

    def _take(self, taken: list[str]) -> Iterator[str]:
        while len(taken) < _MOST_LINES:
            line = self._again.popleft() if self._again else next(self._lines, None)
            if line is None:
                return
            taken.append(line)
            self._line += 1
            yield line

    def _give_back(self, lines: list[str]) -> None:
        self._again.extendleft(reversed(lines))
        self._line -= len(lines)


def _unclosed(taken: list[str]) -> str | None:
    if len(taken) >= _MOST_LINES or sum(line.count('"') for line in taken) % 2:
        return "a quote is opened on this line and never closed"
    return None
