"""Imports: a file of contacts into the database, batch by batch; what is good goes in, what is not is reported."""

import asyncio
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final, cast

from aiohttp import StreamReader
from asyncpg import UniqueViolationError

from postroad_common.db import queries
from postroad_sequence_api.context import Desk, Work
from postroad_sequence_api.csv_import.plan import Plan, Standing, plan
from postroad_sequence_api.csv_import.records import Record, Records, sniff
from postroad_sequence_api.csv_import.rows import Columns, Row, note
from postroad_sequence_api.errors import BadRequestError, InvalidFieldError, TooLargeError
from postroad_sequence_api.models.contacts import ImportReport, RowNote

_SQL: Final = queries("postroad_sequence_api", "contacts")
MAX_FILE_BYTES: Final = 20 * 2**20
_IN_MEMORY: Final = 2**20
_BATCH: Final = 1000
_MOST_NOTES: Final = 10_000
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


@dataclass(slots=True)
class _Notes:
    """Notes on rows: all are counted, the first ones kept."""

    count: int = 0
    kept: list[RowNote] = field(default_factory=list)

    def add(self, *notes: RowNote) -> None:
        self.count += len(notes)
        self.kept.extend(notes[: _MOST_NOTES - len(self.kept)])

    def in_order(self) -> tuple[RowNote, ...]:
        return tuple(sorted(self.kept, key=lambda one: one.line))


@dataclass(slots=True)
class _Tally:
    """What became of the rows so far."""

    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: _Notes = field(default_factory=_Notes)
    warned: _Notes = field(default_factory=_Notes)
    first_lines: dict[str, int] = field(default_factory=dict)

    def read(self, found: Sequence[Row | RowNote]) -> list[Row]:
        """Count what was read; the rows that may be kept."""
        self.rows += len(found)
        self.rejected.add(*(one for one in found if isinstance(one, RowNote)))
        rows = [one for one in found if isinstance(one, Row)]
        for row in rows:
            self.warned.add(*row.warnings)
            first = self.first_lines.setdefault(row.email, row.line)
            if first != row.line:
                self.warned.add(note(row.line, "email", f"repeats the address of line {first}", row.email))
        return rows

    def wrote(self, done: Plan) -> None:
        """Count what was written."""
        self.created += done.created
        self.updated += done.updated
        self.unchanged += done.unchanged
        self.rejected.add(*done.rejected)

    def report(self) -> ImportReport:
        return ImportReport(
            rows=self.rows,
            created=self.created,
            updated=self.updated,
            unchanged=self.unchanged,
            rejected_count=self.rejected.count,
            rejected=self.rejected.in_order(),
            warning_count=self.warned.count,
            warnings=self.warned.in_order(),
        )


async def import_contacts(desk: Desk, body: StreamReader) -> ImportReport:
    """Import a CSV file in UTF-8. Each batch is a transaction; sending the file again repairs a broken connection."""
    with SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        await _receive(body, cast("IO[bytes]", spool))
        rows = _rows(cast("IO[bytes]", spool))
        tally = _Tally()
        while found := await asyncio.to_thread(lambda: list(islice(rows, _BATCH))):
            await _write(desk, tally.read(found), tally)
    return tally.report()


async def _receive(body: StreamReader, spool: IO[bytes]) -> None:
    size = 0
    async for chunk in body.iter_any():
        size += len(chunk)
        if size > MAX_FILE_BYTES:
            raise TooLargeError(MAX_FILE_BYTES)
        spool.write(chunk)
    spool.seek(0)


def _rows(spool: IO[bytes]) -> Iterator[Row | RowNote]:
    if spool.read(2) in {b"\xff\xfe", b"\xfe\xff"}:
        raise BadRequestError("not_utf8", "The file is UTF-16; save it as CSV in UTF-8.")
    spool.seek(0)
    # What is no UTF-8 is carried along as surrogates, and its row alone is refused.
    lines = io.TextIOWrapper(spool, encoding="utf-8-sig", errors="surrogateescape", newline="")
    first = lines.readline()
    lines.seek(0)
    records = iter(Records(iter(lines), sniff(first)))
    header = next(records, None)
    if not isinstance(header, Record):
        raise InvalidFieldError("header", "is missing: the first line names the columns, email among them")
    columns = Columns.of(header)
    return (columns.read(record) for record in records)


async def _write(desk: Desk, rows: Sequence[Row], tally: _Tally) -> None:
    """Write a batch. Where it meets a contact that came in meanwhile, its halves are tried, down to the one row."""
    if not rows:
        return
    try:
        async with desk.work() as work:
            done = await _apply(work, rows)
    except UniqueViolationError:
        if len(rows) == 1:
            tally.rejected.add(note(rows[0].line, "email", "another contact has this address or id", rows[0].email))
            return
        middle = len(rows) // 2
        await _write(desk, rows[:middle], tally)
        await _write(desk, rows[middle:], tally)
        return
    tally.wrote(done)


async def _apply(work: Work, rows: Sequence[Row]) -> Plan:
    external_ids = [row.external_id for row in rows if row.external_id is not None]
    standing = await work.all(_SQL.contacts_named, [row.email for row in rows], external_ids)
    done = plan(rows, [dict(record) for record in standing])
    if updates := done.updates():
        await work.do(_SQL.update_contacts, *_columns(updates))
    if inserts := done.inserts():
        await work.do(_SQL.insert_contacts, *_columns(inserts))
    return done


def _columns(contacts: Sequence[Standing]) -> list[list[Any]]:
    ids: list[Any] = [contact.contact_id for contact in contacts]
    return [ids, *([contact.values[name] for contact in contacts] for name in _COLUMNS)]
