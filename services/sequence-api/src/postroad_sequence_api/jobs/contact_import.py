"""The import of a file of contacts: what is good goes in, what is not is reported, batch by batch."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

from asyncpg import Record, UniqueViolationError
from pydantic import TypeAdapter
from typing_extensions import override

from postroad_common.db import queries
from postroad_sequence_api.context import Work
from postroad_sequence_api.csv_import.plan import Plan, Standing, plan
from postroad_sequence_api.csv_import.rows import Note, Row, columns_of, read_row, rejected, warning
from postroad_sequence_api.jobs.claim import Claim
from postroad_sequence_api.jobs.file import Batch, File
from postroad_sequence_api.jobs.report import of_columns
from postroad_sequence_api.jobs.runner import Kind, Unit
from postroad_sequence_api.models.jobs import ColumnMapping
from postroad_sequence_api.services.attributes import cell_readers

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
    "account_id",
    "attributes",
)
_ACCOUNT: Final = "account_external_id"
_MAPPING: Final[TypeAdapter[ColumnMapping]] = TypeAdapter(ColumnMapping)


async def run(claim: Claim) -> AsyncGenerator[None, None]:
    """Batch after batch; while one is written, the next is read."""
    params = claim.params
    async with claim.desk.work() as work:
        typed = await cell_readers(work)
    columns = columns_of(params["header"], _MAPPING.validate_python(params["columns"] or {}), typed)
    file = File(claim, partial(read_row, columns))
    ahead = asyncio.create_task(file.batch(_BATCH))
    try:
        while (batch := await ahead).rows:
            ahead = asyncio.create_task(file.batch(_BATCH))
            await _write(claim, batch)
            yield
    finally:
        ahead.cancel()
        await asyncio.gather(ahead, return_exceptions=True)


def unit_of(_: Mapping[str, Any]) -> Unit:
    """A file is as long as its bytes."""
    return "bytes"


KIND: Final = Kind(run, unit_of, of_columns(Note._fields))


async def _write(claim: Claim, batch: Batch[Row | Note]) -> None:
    """Write a batch in one transaction. What collides with a contact that came in meanwhile is planned anew."""
    for _ in range(_TRIES):
        try:
            await _commit(claim, batch, carefully=False)
        except UniqueViolationError:
            continue
        return
    await _commit(claim, batch, carefully=True)


async def _commit(claim: Claim, batch: Batch[Row | Note], *, carefully: bool) -> None:
    rows: Sequence[Row] = [one for one in batch.rows if isinstance(one, Row)]
    notes = [one for one in batch.rows if isinstance(one, Note)]
    async with claim.chunk() as chunk:
        rows = await _with_accounts(chunk.work, rows)
        book = (_Rehearsal if claim.params["dry_run"] else _Book)(chunk.work, claim.job_id)
        for made in await _halves(book, rows) if carefully else [await book.write(rows)]:
            notes += made.notes
            chunk.counts.update(created=made.created, updated=made.updated, unchanged=made.unchanged)
        results = Counter(note.result for note in notes)
        chunk.counts.update(rows=len(batch.rows), rejected=results["rejected"], warnings=results["warning"])
        notes.sort(key=_line)
        chunk.rows = [tuple(note) for note in notes]
        chunk.position, chunk.done = batch.position, batch.place.offset


async def _with_accounts(work: Work, rows: Sequence[Row]) -> Sequence[Row]:
    """Rows with the account that they name; one that names none that there is goes in without, and says so."""
    names = {row.values[_ACCOUNT] for row in rows if _ACCOUNT in row.values}
    if not names:
        return rows
    found = {row["external_id"]: row["account_id"] for row in await work.all(_SQL.accounts_named, sorted(names))}
    return [_with_account(row, found) if _ACCOUNT in row.values else row for row in rows]


def _with_account(row: Row, accounts: Mapping[str, UUID]) -> Row:
    values = {name: value for name, value in row.values.items() if name != _ACCOUNT}
    named = row.values[_ACCOUNT]
    if named in accounts:
        return row._replace(values={**values, "account_id": accounts[named]})
    missing = warning(row.line, _ACCOUNT, "no account has this external id", named)
    return row._replace(values=values, warnings=[*row.warnings, missing])


async def _halves(book: "_Book", rows: Sequence[Row]) -> list[Plan]:
    """Write halves and their halves: what collides is in the end one row, and that is refused."""
    try:
        async with book.work.savepoint():
            return [await book.write(rows)]
    except UniqueViolationError:
        if len(rows) == 1:
            reason = "another contact has this address or id"
            return [Plan(notes=[rejected(rows[0].line, "email", reason, rows[0].email)])]
    middle = len(rows) // 2
    return [*await _halves(book, rows[:middle]), *await _halves(book, rows[middle:])]


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
                [_as_json(one) for one in touched],
            )


def _names(rows: Iterable[Row]) -> tuple[list[str], list[str]]:
    """The addresses and the tenant's own ids that rows name."""
    return [row.email for row in rows], [row.external_id for row in rows if row.external_id is not None]


def _columns(contacts: Sequence[Standing]) -> list[list[Any]]:
    ids: list[Any] = [contact.contact_id for contact in contacts]
    return [ids, *([contact.values[name] for contact in contacts] for name in _COLUMNS)]


def _as_json(contact: Standing) -> dict[str, Any]:
    account_id = contact.values["account_id"]
    return {**contact.values, "account_id": None if account_id is None else str(account_id)}


def _email(contact: Standing) -> str:
    email: str = contact.values["email"]
    return email


def _line(note: Note) -> int:
    return note.line
