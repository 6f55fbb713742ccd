"""The types of custom attributes: which values each takes, from JSON and from a cell of a file. Pure.

What is stored is plain JSON. A date is a text such as 2026-12-31; a datetime is a text in UTC with milliseconds, such
as 2026-12-31T09:30:00.000Z, so that texts sort as the moments do.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

Value = str | bool | int | float | None

_EXACT: Final = 2**53  # beyond it JSON's readers round
_MOST_TEXT: Final = 2000
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATETIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_FLAGS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("true", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "no", "n", "0"), False),
}


class AttributeType(StrEnum):
    """What the values of an attribute are."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"


class MisfitError(ValueError):
    """A value that does not fit its attribute's type."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"{name} {reason}")


def fitted(types: Mapping[str, AttributeType], values: Mapping[str, Value]) -> dict[str, Value]:
    """Values as they are stored; those of attributes without a type as they are. Raises MisfitError."""
    found: dict[str, Value] = {}
    for name, value in values.items():
        try:
            found[name] = checked(types[name], value) if name in types else value
        except ValueError as error:
            raise MisfitError(name, str(error)) from error
    return found


def checked(type_: AttributeType, value: Value) -> Value:
    """A JSON value as it is stored for this type; null is no value, whatever the type. Raises ValueError with words."""
    if value is None:
        return None
    match type_:
        case AttributeType.TEXT:
            return _text(value) if isinstance(value, str) else _refuse("a text")
        case AttributeType.NUMBER:
            return value if isinstance(value, int | float) and not isinstance(value, bool) else _refuse("a number")
        case AttributeType.BOOLEAN:
            return value if isinstance(value, bool) else _refuse("true or false")
        case AttributeType.DATE:
            return _date(value) if isinstance(value, str) else _refuse(_A_DATE)
        case AttributeType.DATETIME:
            return _datetime(value) if isinstance(value, str) else _refuse(_A_DATETIME)
        case _:
            assert_never(type_)


def read_cell(type_: AttributeType, cell: str) -> Value:
    """What a cell of a file says, for this type. Raises ValueError with words."""
    match type_:
        case AttributeType.NUMBER:
            return _number(cell)
        case AttributeType.BOOLEAN:
            found = _FLAGS.get(cell.lower())
            return found if found is not None else _refuse("true or false, yes or no, 1 or 0")
        case AttributeType.TEXT | AttributeType.DATE | AttributeType.DATETIME:
            return checked(type_, cell)
        case _:
            assert_never(type_)


def cell_reader(type_: AttributeType) -> Callable[[str], Value]:
    """read_cell for one type."""
    return lambda cell: read_cell(type_, cell)


_A_DATE: Final = "a date such as 2026-12-31"
_A_DATETIME: Final = "a time with its zone such as 2026-12-31T09:30:00Z, or a date"


def _refuse(wanted: str) -> Value:
    raise ValueError(f"must be {wanted}")


def _text(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not contain NUL")
    if len(value) > _MOST_TEXT:
        raise ValueError(f"must have at most {_MOST_TEXT} characters")
    return value


def _number(cell: str) -> Value:
    if not _NUMBER.fullmatch(cell):
        return _refuse("a number such as 1234.5")
    number = float(cell)
    if abs(number) > _EXACT:
        raise ValueError(f"must lie between -{_EXACT} and {_EXACT}")
    return int(number) if number.is_integer() else number


def _date(value: str) -> Value:
    if not _DATE.fullmatch(value):
        return _refuse(_A_DATE)
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        return _refuse(_A_DATE)


def _datetime(value: str) -> Value:
    if _DATE.fullmatch(value):
        value = f"{value}T00:00:00Z"
    if not _DATETIME.fullmatch(value):
        return _refuse(_A_DATETIME)
    try:
        moment = datetime.fromisoformat(value.upper().replace(",", ".")).astimezone(UTC)
    except (ValueError, OverflowError):
        return _refuse(_A_DATETIME)
    moment -= timedelta(microseconds=moment.microsecond % 1000)
    return f"{moment.year:04}-{moment:%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
