"""The import of a file of contacts: what is good goes in, what is not is reported, batch by batch."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from asyncpg import Record, UniqueViolationError
from pydantic import TypeAdapter
from typing_extensions import override

from postroad_common.db import queries
from postroad_sequence_api.context import Work
from postroad_sequence_api.csv_import.cells import Attribute
from postroad_sequence_api.csv_import.plan import Plan, Standing, plan
from postroad_sequence_api.csv_import.records import DELIMITERS, Place, Reader
from postroad_sequence_api.csv_import.rows import Columns, Note, Row, columns_of, read_row, rejected
from postroad_sequence_api.jobs.claim import Claim
from postroad_sequence_api.jobs.runner import Kind
from postroad_sequence_api.models.jobs import ColumnMapping
from postroad_sequence_api.services.attributes import cell_readers

PIECE_BYTES: Final = 2**20
"""Of the file, as it is stored."""
_SQL: Final = queries("postroad_sequence_api", "imports")
_BATCH: Final = 1000
_TRIES: Final = 3
_COLUMNS: Final = (
    "email",
    "external_id",
    "first_name",
    "last_name",
    "company",
    "kind",
    "timezone",
    "attributes",
)
_MAPPING: Final[TypeAdapter[ColumnMapping]] = TypeAdapter(ColumnMapping)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Rows, and the place in the file behind them."""

    found: Sequence[Row | Note]
    place: Place


async def run(claim: Claim) -> AsyncGenerator[None, None]:
    """Batch after batch; while one is written, the next is read."""
    async with claim.desk.work() as work:
        source = _Source(claim, await cell_readers(work))
    ahead = asyncio.create_task(source.batch())
    try:
        while (batch := await ahead).found:
            ahead = asyncio.create_task(source.batch())
            await _write(claim, batch)
            yield
    finally:
        ahead.cancel()
        await asyncio.gather(ahead, return_exceptions=True)


KIND: Final = Kind(run, "bytes", Note._fields)


class _Source:
    """The job's file as batches of rows, from where the job is."""

    def __init__(self, claim: Claim, typed: Mapping[str, Attribute]) -> None:
        params = claim.params
        self._claim = claim
        self._reader = Reader(
            DELIMITERS[params["delimiter"]], encoding=params["encoding"], place=Place(**claim.position)
        )
        self._columns = columns_of(params["header"], _MAPPING.validate_python(params["columns"] or {}), typed)
        self._next_byte = claim.position["offset"]
        self._ended = False

    async def batch(self) -> _Batch:
        """The next rows; none: the file is at its end."""
        found: list[Row | Note] = []
        while len(found) < _BATCH:
            taken = await asyncio.to_thread(_read, self._reader, self._columns, _BATCH - len(found))
            found += taken
            if not taken and self._ended:
                break
            if len(found) < _BATCH and not self._ended:
                await self._feed()
        return _Batch(found, self._reader.place)

    async def _feed(self) -> None:
        if self._next_byte == self._claim.total:
            self._ended = True
            self._reader.end()
            return
        number, inside = divmod(self._next_byte, PIECE_BYTES)
        piece = (await self._claim.piece(number))[inside:]
        self._next_byte += len(piece)
        self._reader.feed(piece)


def _read(reader: Reader, columns: Columns, most: int) -> list[Row | Note]:
    return [read_row(columns, record) for record in reader.take(most)]


async def _write(claim: Claim, batch: _Batch) -> None:
    """Write a batch in one transaction. What collides with a contact that came in meanwhile is planned anew."""
    for _ in range(_TRIES):
        try:
            await _commit(claim, batch, carefully=False)
        except UniqueViolationError:
            continue
        return
    await _commit(claim, batch, carefully=True)


async def _commit(claim: Claim, batch: _Batch, *, carefully: bool) -> None:
    rows = [one for one in batch.found if isinstance(one, Row)]
    notes = [one for one in batch.found if isinstance(one, Note)]
    async with claim.chunk() as chunk:
        book = (_Rehearsal if claim.params["dry_run"] else _Book)(chunk.work, claim.job_id)
        for made in await _halves(book, rows) if carefully else [await book.write(rows)]:
            notes += made.notes
            chunk.counts.update(created=made.created, updated=made.updated, unchanged=made.unchanged)
        results = Counter(note.result for note in notes)
        chunk.counts.update(rows=len(batch.found), rejected=results["rejected"], warnings=results["warning"])
        notes.sort(key=_line)
        chunk.rows = [tuple(note) for note in notes]
        chunk.position = {"offset": batch.place.offset, "line": batch.place.line}
        chunk.done = batch.place.offset


async def _halves(book: "_Book", rows: Sequence[Row]) -> list[Plan]:
    """Write halves and their halves: what collides is in the end one row, and that is refused."""
    try:
        async with _savepoint(book.work):
            return [await book.write(rows)]
    except UniqueViolationError:
        if len(rows) == 1:
            reason = "another contact has this address or id"
            return [Plan(notes=[rejected(rows[0].line, "email", reason, rows[0].email)])]
    middle = len(rows) // 2
    return [*await _halves(book, rows[:middle]), *await _halves(book, rows[middle:])]


@asynccontextmanager
async def _savepoint(work: Work) -> AsyncIterator[None]:
    await work.conn.execute("SAVEPOINT half")
    try:
        yield
    except UniqueViolationError:
        await work.conn.execute("ROLLBACK TO half")
        raise
    await work.conn.execute("RELEASE half")


class _Book:
    """The contacts, and which line of the file was the first about each."""

    def __init__(self, work: Work, job_id: UUID) -> None:
        self.work = work
        self._job_id = job_id

    async def write(self, rows: Sequence[Row]) -> Plan:
        """Put rows in. Raises UniqueViolationError where others write the same, or rows trade their addresses."""
        made = (
            await asyncio.to_thread(plan, rows, [dict(one) for one in await self._standing(rows)]) if rows else Plan()
        )
        await self._keep(made)
        return made

    async def _standing(self, rows: Sequence[Row]) -> list[Record]:
        return await self.work.all(_SQL.standing, self._job_id, *_names(rows))

    async def _keep(self, made: Plan) -> None:
        if updates := made.updates():
            await self.work.do(_SQL.update, *_columns(updates))
        if inserts := made.inserts():
            # In one order, so that two files with the same people wait for each other and do not lock each other out.
            await self.work.do(_SQL.insert, *_columns(sorted(inserts, key=_email)))
        if made.met:
            met = made.met
            await self.work.do(_SQL.meet, self._job_id, [one.contact_id for one in met], [one.line for one in met])


class _Rehearsal(_Book):
    """As it would be: in a table of the job's own."""

    @override
    async def _standing(self, rows: Sequence[Row]) -> list[Record]:
        return await self.work.all(_SQL.rehearsed, self._job_id, *_names(rows))

    @override
    async def _keep(self, made: Plan) -> None:
        touched = {one.contact_id: one for one in (*made.met, *made.changed)}.values()
        if touched:
            await self.work.do(
                _SQL.rehearse,
                self._job_id,
                [one.contact_id for one in touched],
                [one.line for one in touched],
                [one.values["email"] for one in touched],
                [one.values["external_id"] for one in touched],
                [one.values for one in touched],
            )


def _names(rows: Iterable[Row]) -> tuple[list[str], list[str]]:
    """The addresses and the tenant's own ids that rows name."""
    return [row.email for row in rows], [row.external_id for row in rows if row.external_id is not None]


def _columns(contacts: Sequence[Standing]) -> list[list[Any]]:
    ids: list[Any] = [contact.contact_id for contact in contacts]
    return [ids, *([contact.values[name] for contact in contacts] for name in _COLUMNS)]


def _email(contact: Standing) -> str:
    email: str = contact.values["email"]
    return email


def _line(note: Note) -> int:
    return note.line
