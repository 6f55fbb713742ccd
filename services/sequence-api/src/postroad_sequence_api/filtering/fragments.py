"""Pieces of SQL whose values are parameters: a value never becomes part of the text."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Bound:
    """A value that travels as a parameter of the given SQL type."""

    value: Any
    type: str


Sql: TypeAlias = tuple["str | Bound", ...]
"""Text that is ours, and values that need not be."""


def sql(*parts: "str | Bound | Sql") -> Sql:
    """One piece out of several."""
    return tuple(inner for part in parts for inner in (part if isinstance(part, tuple) else (part,)))


def joined(separator: str, pieces: Iterable[Sql]) -> Sql:
    """Pieces with a text between each two."""
    made: Sql = ()
    for number, piece in enumerate(pieces):
        made = sql(made, separator, piece) if number else piece
    return made


def rendered(piece: Sql) -> tuple[str, list[Any]]:
    """The statement with $1, $2, ... and its arguments. Equal values share a parameter."""
    places: dict[tuple[str, str], int] = {}
    arguments: list[Any] = []
    text: list[str] = []
    for part in piece:
        if isinstance(part, str):
            text.append(part)
            continue
        key = (part.type, repr(part.value))
        if key not in places:
            arguments.append(part.value)
            places[key] = len(arguments)
        text.append(f"${places[key]}::{part.type}")
    return "".join(text), arguments
