"""The enrollment of many: of those that a filter means, of those named by their ids, or of those that a file names."""

from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from postroad_common.db import queries
from postroad_sequence_api.context import Work
from postroad_sequence_api.csv_import import cells
from postroad_sequence_api.csv_import.records import Broken, Record
from postroad_sequence_api.csv_import.rows import shown
from postroad_sequence_api.jobs import audience, named
from postroad_sequence_api.jobs.claim import Chunk, Claim
from postroad_sequence_api.jobs.file import Batch, File
from postroad_sequence_api.jobs.report import of_columns
from postroad_sequence_api.jobs.runner import Kind, Unit
from postroad_sequence_api.models.fields import normal_address
from postroad_sequence_api.services import enrollments
from postroad_sequence_api.services.sequences import ITEMS_PER_MESSAGE

_SQL: Final = queries("postroad_sequence_api", "enrollments")
REFERENCES: Final = ("contact_id", "external_id", "email")
"""What a file may name contacts by; of several in a row, the first that is there."""
_CONTACTS: Final = 4 * ITEMS_PER_MESSAGE
"""Of a chunk: some tenths of a second, in which they are locked."""


class ReportRow(NamedTuple):
    """What became of a contact. line, value and reason are of a file's row."""

    line: int | None
    contact_id: str | None
    result: str
    enrollment_id: str | None
    reason: str
    value: str


class _Named(NamedTuple):
    """A row of a file: by which column it names a contact, and the value; invalid says why it names none."""

    line: int
    by: str
    value: str
    invalid: str = ""


def run(claim: Claim) -> AsyncGenerator[None, None]:
    """Chunk after chunk, each of some messages to the scheduler."""
    if "header" in claim.params:
        return _of_file(claim)
    return _of_audience(claim) if "last" in claim.params else _of_named(claim)


def unit_of(params: Mapping[str, Any]) -> Unit:
    """A file is as long as its bytes."""
    return "bytes" if "header" in params else "contacts"


KIND: Final = Kind(run, unit_of, of_columns(ReportRow._fields))


async def _of_audience(claim: Claim) -> AsyncGenerator[None, None]:
    more = True
    while more:
        async with claim.chunk() as chunk:
            ids, more = await audience.next_of(claim, chunk, _CONTACTS)
            results = await _enroll(claim, chunk.work, ids)
            _report(chunk, [_outcome(results[id_]) for id_ in ids])
        yield


async def _of_named(claim: Claim) -> AsyncGenerator[None, None]:
    ids = await named.contacts(claim)
    while claim.done < len(ids):
        async with claim.chunk() as chunk:
            some = named.next_of(chunk, ids, _CONTACTS)
            results = await _enroll(claim, chunk.work, some)
            _report(chunk, [_outcome(results[id_]) for id_ in some])
        yield


async def _of_file(claim: Claim) -> AsyncGenerator[None, None]:
    header = claim.params["header"]
    places = {name: place for place, cell in enumerate(header) if (name := reference(cell)) is not None}
    file = File(claim, lambda record: _read(record, places))
    while (batch := await file.batch(_CONTACTS)).rows:
        async with claim.chunk() as chunk:
            _report(chunk, await _enroll_named(claim, chunk.work, batch))
            chunk.position, chunk.done = batch.position, batch.place.offset
        yield


def reference(column: str) -> str | None:
    """What a column of a file names contacts by, if it does."""
    name = cells.trimmed(column).lower().replace(" ", "_").replace("-", "_")
    return name if name in REFERENCES else None


def _read(record: Record | Broken, places: Mapping[str, int]) -> _Named:
    if isinstance(record, Broken):
        return _Named(record.line, "", record.text, record.reason)
    for name in REFERENCES:
        place = places.get(name)
        value = cells.trimmed(record.cells[place]) if place is not None and place < len(record.cells) else ""
        if value:
            return _checked(record.line, name, value)
    return _Named(record.line, "", "", f"names nobody: {' or '.join(places)} is missing")


def _checked(line: int, by: str, value: str) -> _Named:
    try:
        match by:
            case "email":
                return _Named(line, by, normal_address(value))
            case "contact_id":
                return _Named(line, by, str(UUID(value)))
            case _:
                return _Named(line, by, cells.FIELDS["external_id"](value))
    except ValueError as error:
        return _Named(line, by, value, str(error))


async def _enroll_named(claim: Claim, work: Work, batch: Batch[_Named]) -> list[ReportRow]:
    known = await _contacts(work, [row for row in batch.rows if not row.invalid])
    ids = [known.get((row.by, row.value)) for row in batch.rows]
    results = await _enroll(claim, work, [id_ for id_ in ids if id_ is not None])
    outcomes: list[ReportRow] = []
    seen: set[UUID] = set()
    for row, id_ in zip(batch.rows, ids, strict=True):
        if row.invalid:
            outcomes.append(ReportRow(row.line, None, "invalid", None, shown(row.invalid), shown(row.value)))
        elif id_ is None:
            outcomes.append(ReportRow(row.line, None, "unknown", None, "no contact has it", shown(row.value)))
        else:
            outcomes.append(_outcome(results[id_], row, again=id_ in seen))
            seen.add(id_)
    return outcomes


async def _contacts(work: Work, rows: Sequence[_Named]) -> dict[tuple[str, str], UUID]:
    """The contacts that rows name, by what they name them by."""
    values = {by: [row.value for row in rows if row.by == by] for by in REFERENCES}
    found = await work.all(
        _SQL.contacts_named, values["email"], values["external_id"], [UUID(id_) for id_ in values["contact_id"]]
    )
    return {(row["named_by"], row["value"]): row["contact_id"] for row in found}


async def _enroll(claim: Claim, work: Work, ids: Iterable[UUID]) -> dict[UUID, enrollments.Outcome]:
    sequence_id = UUID(claim.params["sequence_id"])
    version = await enrollments.open_version(work, sequence_id)
    return await enrollments.enroll_all(work, sequence_id, version, ids)


def _outcome(found: enrollments.Outcome, row: _Named | None = None, *, again: bool = False) -> ReportRow:
    result = "already_active" if again and found.result == "enrolled" else found.result
    enrollment_id = None if found.enrollment_id is None else str(found.enrollment_id)
    line, value = (None, "") if row is None else (row.line, shown(row.value))
    return ReportRow(line, str(found.contact_id), result, enrollment_id, "", value)


def _report(chunk: Chunk, outcomes: Sequence[ReportRow]) -> None:
    chunk.counts = Counter(outcome.result for outcome in outcomes)
    chunk.rows = [tuple(outcome) for outcome in outcomes]
