"""Records as rows of contacts: which column is what, and whether each cell may be kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from postroad_sequence_api.csv_import.records import Broken, Record
from postroad_sequence_api.errors import InvalidFieldError
from postroad_sequence_api.models.contacts import RowNote
from postroad_sequence_api.models.fields import known_zone, normal_address, one_line, without_nul

MOST_ATTRIBUTES: Final = 100
_SHOWN: Final = 100  # characters of a cell in a note


def _at_most(limit: int, check: Callable[[str], str]) -> Callable[[str], str]:
    def checked(value: str) -> str:
        if len(value) > limit:
            raise ValueError(f"must have at most {limit} characters")
        return check(value)

    return checked


def _known_kind(value: str) -> str:
    if value.lower() not in {"lead", "party"}:
        raise ValueError("must be lead or party")
    return value.lower()


_name = _at_most(200, one_line)
_CHECKS: Final[Mapping[str, Callable[[str], str]]] = {
    "email": _at_most(254, normal_address),
    "external_id": _name,
    "first_name": _name,
    "last_name": _name,
    "company": _name,
    "timezone": known_zone,
    "kind": _known_kind,
}
_check_attribute = _at_most(2000, without_nul)
_CAN_DO_WITHOUT: Final = frozenset({"timezone", "kind"})
"""A contact is kept without these when they are wrong, and the report warns."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row that may be kept. values holds what it says; an empty cell says nothing."""

    line: int
    values: Mapping[str, str]
    attributes: Mapping[str, str]
    warnings: tuple[RowNote, ...] = ()

    @property
    def email(self) -> str:
        """The address, which every row has."""
        return self.values["email"]

    @property
    def external_id(self) -> str | None:
        """The tenant's own id, if the row has one."""
        return self.values.get("external_id")


@dataclass(frozen=True, slots=True)
class Columns:
    """What each column of a file is: a field of a contact, an attribute, or (None) nothing."""

    fields: tuple[str | None, ...]
    attributes: tuple[str | None, ...] = field(default=())

    @classmethod
    def of(cls, header: Record) -> "Columns":
        """Read the header; raises InvalidFieldError when no contact can be made of such rows."""
        names = [_legible(cell).strip() for cell in header.cells]
        known = [name.lower().replace(" ", "_").replace("-", "_") for name in names]
        fields = tuple(name if name in _CHECKS else None for name in known)
        attributes = tuple(
            _attribute_name(name) if name and fields[place] is None else None for place, name in enumerate(names)
        )
        if "email" not in fields:
            raise InvalidFieldError("header", "must have a column named email; a header is the first line of the file")
        for each in (fields, attributes):
            if twice := next((name for name in each if name is not None and each.count(name) > 1), None):
                raise InvalidFieldError("header", f"has the column {twice!r} more than once")
        if sum(name is not None for name in attributes) > MOST_ATTRIBUTES:
            raise InvalidFieldError("header", f"has more than {MOST_ATTRIBUTES} columns of attributes")
        return cls(fields, attributes)

    def read(self, record: Record | Broken) -> Row | RowNote:
        """The row of a record, or why there is none."""
        if isinstance(record, Broken):
            return note(record.line, None, record.reason, record.text)
        if len(record.cells) > len(self.fields):
            reason = f"has {len(record.cells)} cells, the header {len(self.fields)}"
            return note(record.line, None, reason, ",".join(record.cells))
        return self._checked(record)

    def _checked(self, record: Record) -> Row | RowNote:
        values: dict[str, str] = {}
        attributes: dict[str, str] = {}
        warnings: list[RowNote] = []
        for cell, name, attribute in zip(record.cells, self.fields, self.attributes, strict=False):
            said = cell.strip(" ")
            if not said or (name is None and attribute is None):
                continue
            try:
                _encodable(said)
                if name is not None:
                    values[name] = _CHECKS[name](said)
                elif attribute is not None:
                    attributes[attribute] = _check_attribute(said)
            except ValueError as error:
                found = note(record.line, name or attribute, str(error), said)
                if name not in _CAN_DO_WITHOUT:
                    return found
                warnings.append(found)
        if "email" not in values:
            return note(record.line, "email", "is missing", "")
        return Row(record.line, values, attributes, tuple(warnings))


def note(line: int, name: str | None, reason: str, value: str) -> RowNote:
    """What is to be said of a row, its value shortened and legible."""
    return RowNote(line=line, field=name, reason=reason, value=_legible(value[:_SHOWN]).strip())


def _legible(text: str) -> str:
    """Text that can be answered: bytes that are no UTF-8 show as question marks."""
    return text.encode(errors="replace").decode()


def _encodable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("is not UTF-8") from error


def _attribute_name(name: str) -> str:
    try:
        return _at_most(100, one_line)(name)
    except ValueError as error:
        raise InvalidFieldError("header", f"column {name[:40]!r} {error}") from error
