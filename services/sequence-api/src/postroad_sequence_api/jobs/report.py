"""The report of a job as a file: what a stored row is in CSV and in NDJSON."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Report:
    """columns and cells: the header of the CSV and a row below it; record: the row as a line of NDJSON."""

    columns: Sequence[str]
    cells: Callable[[Row], Row]
    record: Callable[[Row], Mapping[str, Any]]


def of_columns(columns: Sequence[str]) -> Callable[[Mapping[str, Any], Mapping[str, Any]], Report]:
    """Of a kind whose rows always have the same columns."""
    report = Report(columns, lambda row: row, lambda row: dict(zip(columns, row, strict=True)))
    return lambda _params, _position: report
