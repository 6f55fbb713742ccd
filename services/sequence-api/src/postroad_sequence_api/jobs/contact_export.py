"""The export of contacts: the report of the job is the file."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from postroad_common.db import queries
from postroad_sequence_api.csv_import.rows import attribute_column
from postroad_sequence_api.errors import ConflictError
from postroad_sequence_api.jobs import audience
from postroad_sequence_api.jobs.claim import Claim
from postroad_sequence_api.jobs.report import Report
from postroad_sequence_api.jobs.runner import Kind, Unit

_SQL: Final = queries("postroad_sequence_api", "contacts")
_CHUNK: Final = 1000
_CHUNK_BYTES: Final = 4 * 2**20
"""Of a chunk's attributes, about: a contact may have 200 KB of them."""
_MOST_COLUMNS: Final = 1000
ATTRIBUTE: Final = "attributes."
"""What a column of an attribute begins with where a request names it."""
IMPORTED: Final = (
    "email", "external_id", "first_name", "last_name", "company", "kind", "timezone", "account_external_id",
)  # fmt: skip
"""The fields of which an import makes the same contact."""
FIELDS: Final = ("contact_id", *IMPORTED, "created_at", "updated_at")


async def run(claim: Claim) -> AsyncGenerator[None, None]:
    """Chunk after chunk; a row has the contact's id, by which an erasure finds it, the fields, then the attributes."""
    columns: Sequence[str] | None = claim.params["columns"]
    fields = _fields(columns)
    chosen = None if columns is None else frozenset(_attributes(columns))
    more = True
    while more:
        async with claim.chunk() as chunk:
            ids, more = await audience.next_of(claim, chunk, _CHUNK)
            rows = await chunk.work.all(_SQL.exported, ids, _CHUNK_BYTES)
            if rows and len(rows) < len(ids):
                audience.turn_back(chunk, rows[-1]["contact_id"], len(ids) - len(rows))
                more = True
            attributes = [_kept(row["attributes"], chosen) for row in rows]
            chunk.rows = [
                [str(row["contact_id"]), *(_plain(row[field]) for field in fields), kept]
                for row, kept in zip(rows, attributes, strict=True)
            ]
            chunk.counts["contacts"] = len(rows)
            seen = set(claim.position.get("attributes", ())).union(*attributes)
            if len(seen) > _MOST_COLUMNS:
                said = f"The contacts have more than {_MOST_COLUMNS:,} different attributes: name the columns you want."
                raise ConflictError("too_many", said, limit=_MOST_COLUMNS)
            chunk.position = {**chunk.position, "attributes": sorted(seen)}
        yield


def unit_of(_: Mapping[str, Any]) -> Unit:
    """Contacts."""
    return "contacts"


def report_of(params: Mapping[str, Any], position: Mapping[str, Any]) -> Report:
    """A CSV has a column for each attribute that any of its contacts has, NDJSON an object with those of each."""
    columns: Sequence[str] | None = params["columns"]
    fields = _fields(columns)
    if columns is None:
        columns = [*fields, *(f"{ATTRIBUTE}{name}" for name in position.get("attributes", ()))]
        with_attributes = True
    else:
        with_attributes = any(_attributes(columns))
    places = {field: place for place, field in enumerate(fields, 1)}
    return Report(
        columns=[_header(column) for column in columns],
        cells=partial(_cells, [places.get(column, column.removeprefix(ATTRIBUTE)) for column in columns]),
        record=partial(_record, fields, with_attributes),
    )


KIND: Final = Kind(run, unit_of, report_of, report_scope="contacts:read")


def _fields(columns: Sequence[str] | None) -> Sequence[str]:
    return IMPORTED if columns is None else [column for column in columns if column in FIELDS]


def _attributes(columns: Sequence[str]) -> list[str]:
    return [column.removeprefix(ATTRIBUTE) for column in columns if column not in FIELDS]


def _plain(value: object) -> object:
    match value:
        case UUID():
            return str(value)
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case _:
            return value


def _kept(attributes: Mapping[str, Any], chosen: frozenset[str] | None) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if chosen is None or name in chosen}


def _header(column: str) -> str:
    if column in FIELDS:
        return column
    name = column.removeprefix(ATTRIBUTE)
    return f"{ATTRIBUTE}{name}" if name in FIELDS else attribute_column(name)


def _cells(columns: Sequence[int | str], row: Sequence[Any]) -> list[Any]:
    """Each column is the place of a field, or the name of an attribute."""
    return [row[column] if isinstance(column, int) else row[-1].get(column) for column in columns]


def _record(fields: Sequence[str], with_attributes: bool, row: Sequence[Any]) -> dict[str, Any]:  # noqa: FBT001
    found = dict(zip(fields, row[1:], strict=False))
    return {**found, "attributes": row[-1]} if with_attributes else found
