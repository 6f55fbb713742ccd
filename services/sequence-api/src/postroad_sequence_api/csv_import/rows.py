"""Records as rows of contacts: which column is what, and whether each cell may be kept."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from postroad_sequence_api.csv_import import cells
from postroad_sequence_api.csv_import.records import Broken, Record
from postroad_sequence_api.errors import InvalidFieldError
from postroad_sequence_api.models.contacts import MOST_ATTRIBUTES, AttributeValue
from postroad_sequence_api.models.jobs import AttributeColumn, ColumnMapping

_MOST_COLUMNS: Final = 1000
_ATTRIBUTE: Final = "attributes."
_SHOWN: Final = 100  # characters of a cell in a note
_GUESSED: Final = "is not UTF-8: read as Windows-1252"


class Note(NamedTuple):
    """What is to be said of a row. field: the field or attribute at fault, if it is one; value: the cell, shortened."""

    line: int
    result: Literal["rejected", "warning"]
    field: str | None
    reason: str
    value: str


class Row(NamedTuple):
    """A row that may be kept. values holds what it says; an empty cell says nothing."""

    line: int
    values: Mapping[str, Any]
    attributes: Mapping[str, AttributeValue]
    warnings: Sequence[Note] = ()

    @property
    def email(self) -> str:
        """The address, which every row has."""
        email: str = self.values["email"]
        return email

    @property
    def external_id(self) -> str | None:
        """The tenant's own id, if the row has one."""
        return self.values.get("external_id")


class Column(NamedTuple):
    """What a column is: a field of a contact, or an attribute."""

    name: str
    kind: Literal["field", "attribute"]
    read: Callable[[str], AttributeValue]


Columns: TypeAlias = Sequence[Column | None]
"""What each column of a file is; None: nothing."""


def columns_of(
    header: Sequence[str], mapping: ColumnMapping | None = None, typed: Mapping[str, cells.Attribute] | None = None
) -> tuple[Column | None, ...]:
    """What the columns are: as mapped by their names, else a field by its own name, else an attribute.

    typed: how the attributes that have a type are read.

    Raises InvalidFieldError when no contact can be made of such rows.
    """
    names = [_legible(cells.trimmed(name)) for name in header]
    wanted, typed = mapping or {}, typed or {}
    for name in wanted:
        if name not in names:
            listed = ", ".join(repr(one) for one in names[:20])
            raise InvalidFieldError("columns", f"the file has no column {name!r}; it has {listed}")
    found = tuple(_column(name, wanted[name], typed) if name in wanted else _by_name(name, typed) for name in names)
    _check(found)
    return found


def _column(name: str, wanted: str | AttributeColumn | None, typed: Mapping[str, cells.Attribute]) -> Column | None:
    if wanted is None:
        return None
    if isinstance(wanted, AttributeColumn):
        return Column(wanted.attribute, "attribute", cells.attribute(wanted.attribute, typed))
    if wanted not in cells.FIELDS:
        raise InvalidFieldError("columns", f"{name!r} is mapped to {wanted!r}, which is no field of a contact")
    return Column(wanted, "field", cells.FIELDS[wanted])


def _by_name(name: str, typed: Mapping[str, cells.Attribute]) -> Column | None:
    known = _known(name)
    if known in cells.FIELDS:
        return Column(known, "field", cells.FIELDS[known])
    if not name:
        return None
    try:
        named = cells.attribute_name(name.removeprefix(_ATTRIBUTE) or name)
    except ValueError as error:
        raise InvalidFieldError("header", f"column {name[:40]!r} {error}") from error
    return Column(named, "attribute", cells.attribute(named, typed))


def _known(name: str) -> str:
    return name.lower().replace(" ", "_").replace("-", "_")


def attribute_column(name: str) -> str:
    """The name of a column that is read as this attribute: its own, unless that is another's."""
    return f"{_ATTRIBUTE}{name}" if _known(name) in cells.FIELDS or name.startswith(_ATTRIBUTE) else name


def _check(columns: Columns) -> None:
    used = [(column.kind, column.name) for column in columns if column is not None]
    if ("field", "email") not in used:
        raise InvalidFieldError(
            "header", "must have a column named email, or one that is mapped to it; the file's first line is the header"
        )
    if twice := next((name for name in used if used.count(name) > 1), None):
        raise InvalidFieldError("header", f"has the column {twice[1]!r} more than once")
    if len(used) > _MOST_COLUMNS:
        raise InvalidFieldError("header", f"has more than {_MOST_COLUMNS:,} columns")


def read_row(columns: Columns, record: Record | Broken) -> Row | Note:
    """The row of a record, or why there is none."""
    if isinstance(record, Broken):
        return rejected(record.line, None, record.reason, record.text)
    if len(record.cells) > len(columns) and any(record.cells[len(columns) :]):
        reason = f"has {len(record.cells)} cells, the header {len(columns)}"
        return rejected(record.line, None, reason, ",".join(record.cells))
    return _checked(columns, record)


def _checked(columns: Columns, record: Record) -> Row | Note:
    values: dict[str, str] = {}
    attributes: dict[str, AttributeValue] = {}
    warnings = [warning(record.line, None, _GUESSED, ",".join(record.cells))] if record.guessed else []
    for cell, column in zip(record.cells, columns, strict=False):
        said = cells.trimmed(cell)
        if not said or column is None:
            continue
        into: dict[str, AttributeValue] | dict[str, str] = attributes if column.kind == "attribute" else values
        try:
            into[column.name] = column.read(said)  # type: ignore[assignment]  # a field's reader gives text
        except ValueError as error:
            if column.kind == "attribute" or column.name not in cells.CAN_DO_WITHOUT:
                return rejected(record.line, column.name, str(error), said)
            warnings.append(warning(record.line, column.name, str(error), said))
    if "email" not in values:
        return rejected(record.line, "email", "is missing", "")
    if len(attributes) > MOST_ATTRIBUTES:
        return rejected(record.line, None, f"has more than {MOST_ATTRIBUTES} attributes", values["email"])
    return Row(record.line, values, attributes, warnings)


def rejected(line: int, field: str | None, reason: str, value: str) -> Note:
    """A row that does not go in."""
    return Note(line, "rejected", field, reason, shown(value))


def warning(line: int, field: str | None, reason: str, value: str) -> Note:
    """A row that goes in otherwise than it stands."""
    return Note(line, "warning", field, reason, shown(value))


def shown(value: str) -> str:
    """A cell as a report shows it: its beginning, which can be stored and answered."""
    return _legible(value[:_SHOWN]).replace("\x00", "\ufffd").strip()


def _legible(text: str) -> str:
    """Text that can be stored and answered."""
    return text.encode(errors="replace").decode()
