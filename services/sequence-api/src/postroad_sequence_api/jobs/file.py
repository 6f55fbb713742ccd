"""The file of a job, batch by batch from wherever the job is, never more in memory than some megabytes."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from postroad_sequence_api.csv_import.records import DELIMITERS, Broken, Place, Reader, Record
from postroad_sequence_api.jobs.claim import Claim

PIECE_BYTES: Final = 2**20
"""Of a file, as it is stored."""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Batch(Generic[Row]):
    """Rows, and the place in the file behind them."""

    rows: Sequence[Row]
    place: Place

    @property
    def position(self) -> dict[str, int]:
        """The place as a job keeps it."""
        return {"offset": self.place.offset, "line": self.place.line}


class File(Generic[Row]):
    """Reads a claimed job's file, each record as `read` says."""

    def __init__(self, claim: Claim, read: Callable[[Record | Broken], Row]) -> None:
        self._claim = claim
        self._read = read
        self._reader = Reader(
            DELIMITERS[claim.params["delimiter"]], encoding=claim.params["encoding"], place=Place(**claim.position)
        )
        self._next_byte: int = claim.position["offset"]
        self._ended = False

    async def batch(self, most: int) -> Batch[Row]:
        """The next rows; none: the file is at its end."""
        found: list[Row] = []
        while len(found) < most:
            taken = await asyncio.to_thread(self._take, most - len(found))
            found += taken
            if not taken and self._ended:
                break
            if len(found) < most and not self._ended:
                await self._feed()
        return Batch(found, self._reader.place)

    def _take(self, most: int) -> list[Row]:
        return [self._read(record) for record in self._reader.take(most)]

    async def _feed(self) -> None:
        if self._next_byte == self._claim.total:
            self._ended = True
            self._reader.end()
            return
        number, inside = divmod(self._next_byte, PIECE_BYTES)
        piece = (await self._claim.piece(number))[inside:]
        self._next_byte += len(piece)
        self._reader.feed(piece)
