"""The shape of every message, held by snapshots: what is on its way during a rolling update must stay readable.

After adding an optional field, write the snapshots anew: POSTROAD_TEST_WRITE_SNAPSHOTS=1 pytest tests/architecture.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from postroad_common.contracts import REGISTRY

SNAPSHOTS = Path(__file__).with_name("contracts")
WRITE = "POSTROAD_TEST_WRITE_SNAPSHOTS" in os.environ


def schema_of(type_: str) -> dict[str, Any]:
    """The JSON schema without what only people read."""
    schema: dict[str, Any] = without_prose(REGISTRY[type_].model_json_schema())
    return schema


def without_prose(node: Any) -> Any:
    """A schema as machines read it."""
    if isinstance(node, dict):
        return {
            key: without_prose(value)
            for key, value in node.items()
            if not (key in {"description", "title"} and isinstance(value, str))
        }
    return [without_prose(item) for item in node] if isinstance(node, list) else node


def breaks(old: Any, new: Any, where: str = "") -> list[str]:
    """What a reader or writer of the old shape would trip over in the new one."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = [f"{where}/{key}: is gone" for key in old.keys() - new.keys() if key not in {"required", "default"}]
        found += [f"{where}: {name} became required" for name in _required(new) - _required(old)]
        found += [f"{where}: {name} is no longer sure to be there" for name in _required(old) - _required(new)]
        for key in old.keys() & new.keys() - {"required", "default"}:
            found += breaks(old[key], new[key], f"{where}/{key}")
        return found
    return [] if old == new else [f"{where}: {old!r} became {new!r}"]


def _required(node: dict[str, Any]) -> set[str]:
    required = node.get("required", [])
    return set(required) if isinstance(required, list) else set()


@pytest.mark.parametrize("type_", sorted(REGISTRY))
def test_a_released_message_changes_by_optional_fields_only(type_: str) -> None:
    path = SNAPSHOTS / f"{type_}.json"
    current = schema_of(type_)
    if WRITE:
        path.write_text(json.dumps(current, indent=1, sort_keys=True) + "\n")
    assert path.exists(), f"{type_} has no snapshot yet: write it"
    snapshot = json.loads(path.read_text())

    broken = breaks(snapshot, current)

    assert not broken, f"make a new version of {type_}: {broken}"
    assert snapshot == current, f"{type_} has new optional fields: write its snapshot anew"


def test_no_snapshot_is_left_of_a_message_that_is_gone() -> None:
    assert {path.name.removesuffix(".json") for path in SNAPSHOTS.glob("*.json")} == set(REGISTRY)


def test_the_check_sees_a_field_removed_added_as_required_or_changed() -> None:
    old = schema_of("steps.due.v1")

    def changed(edit: str) -> dict[str, Any]:
        copy: dict[str, Any] = json.loads(json.dumps(old))
        properties = copy["$defs"]["StepDue"]["properties"]
        if edit == "removed":
            del properties["attempt"]
        elif edit == "required":
            properties["colour"] = {"type": "string"}
            copy["$defs"]["StepDue"]["required"].append("colour")
        else:
            properties["attempt"]["type"] = "string"
        return copy

    for edit in ("removed", "required", "changed"):
        assert breaks(old, changed(edit)), edit
    optional = json.loads(json.dumps(old))
    optional["$defs"]["StepDue"]["properties"]["colour"] = {"type": "string", "default": "red"}
    assert not breaks(old, optional)
