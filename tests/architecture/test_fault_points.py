"""Each fault point is reached by the code, explained in docs/guarantees.md, and killed at by a proof."""

from __future__ import annotations

import dis
import re
from pathlib import Path
from types import CodeType

from postroad_common.faults import POINTS

ROOT = Path(__file__).parents[2]


def sources(*folders: str) -> str:
    """The text of all Python files below the folders."""
    return "\n".join(path.read_text() for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))


def test_every_fault_point_is_reached_by_the_code() -> None:
    reached = set(re.findall(r'reach\("([a-z_.]+)"\)', sources("services", "libs/common/src")))
    assert reached == set(POINTS)


def test_every_fault_point_has_its_row_in_the_guarantees() -> None:
    rows = [line for line in (ROOT / "docs/guarantees.md").read_text().splitlines() if line.startswith("|")]
    explained = {point for row in rows for point in re.findall(r"`([a-z]+\.[a-z_]+)`", row.split("|")[1])}
    assert explained & set(POINTS) == set(POINTS)


def test_every_row_of_the_guarantees_names_a_test_that_exists() -> None:
    table = (ROOT / "docs/guarantees.md").read_text().split("## Crash points")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    tests = set(re.findall(r"def (test_\w+)\(", sources("tests")))
    named = [re.findall(r"`(test_\w+)`", row) for row in rows]
    assert all(named)
    assert {test for row in named for test in row} <= tests


def test_every_fault_point_is_killed_at_by_a_proof() -> None:
    proofs = sources("tests/acceptance", "tests/integration")
    assert [point for point in POINTS if f'"{point}' not in proofs] == []


def constants(code: CodeType) -> set[object]:
    """All texts that the instructions of a code object, and of those inside it, load."""
    loaded = {step.argval for step in dis.get_instructions(code) if isinstance(step.argval, str)}
    return loaded.union(*(constants(part) for part in code.co_consts if isinstance(part, CodeType)))


def test_production_has_no_fault_points() -> None:
    files = [path for folder in ("services", "libs/common/src") for path in sorted((ROOT / folder).rglob("*.py"))]
    files = [path for path in files if path.name != "faults.py"]

    def named(optimize: int) -> set[object]:
        return set().union(*(constants(compile(f.read_bytes(), f, "exec", optimize=optimize)) for f in files))

    assert named(optimize=0) & set(POINTS) == set(POINTS)
    assert named(optimize=1) & set(POINTS) == set()
