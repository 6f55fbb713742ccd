"""Statements by name from .sql files."""

import sys
from pathlib import Path

import pytest

from postroad_common.db import queries
from postroad_common.errors import QueryMissingError


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `baker` with an empty store."""
    (tmp_path / "baker" / "store").mkdir(parents=True)
    (tmp_path / "baker" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "baker", raising=False)
    return tmp_path / "baker" / "store"


def test_each_statement_is_there_under_its_name_with_its_comment(package: Path) -> None:
    (package / "loaves.sql").write_text(
        "-- About loaves.\n\n-- name: bake\n-- One more.\nINSERT INTO loaves VALUES ($1);\n\n"
        "-- name: count_all\n-- How many.\nSELECT count(*)\nFROM loaves;\n"
    )

    sql = queries("baker", "loaves")

    assert dict(sql) == {
        "bake": "-- One more.\nINSERT INTO loaves VALUES ($1)",
        "count_all": "-- How many.\nSELECT count(*)\nFROM loaves",
    }
    assert sql.bake == sql["bake"]


def test_a_statement_that_is_not_there_is_named_with_its_file(package: Path) -> None:
    (package / "loaves.sql").write_text("-- name: bake\nSELECT 1;\n")

    with pytest.raises(QueryMissingError, match=r"baker/store/loaves.sql has no statement eat"):
        _ = queries("baker", "loaves").eat


@pytest.mark.parametrize(
    "text", ["SELECT 1;", "-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;", "-- name: get\nSELECT 1;"]
)
def test_names_that_are_missing_doubled_or_taken_are_refused(package: Path, text: str) -> None:
    (package / "loaves.sql").write_text(text)

    with pytest.raises(QueryMissingError, match="names"):
        queries("baker", "loaves")


def test_a_file_that_is_not_there_stops_the_import(package: Path) -> None:
    with pytest.raises(FileNotFoundError):
        queries("baker", "rolls")
