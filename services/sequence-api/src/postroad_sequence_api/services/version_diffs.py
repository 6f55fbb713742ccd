"""What differs between two versions of a sequence; pure."""

from collections.abc import Mapping
from typing import Any, Final

from postroad_sequence_api.models.sequences import FieldChange, Step, StepChange, Version, VersionDiff

_COMPARED: Final = tuple(name for name in Step.model_fields if name != "key")


def compare(after: Version, before: Version | None) -> VersionDiff:
    """Step by step, by their keys: those of the version in its order, then those that it dropped."""
    old = {step.key: step for step in before.steps} if before is not None else {}
    new = {step.key: step for step in after.steps}
    changes = [
        *(_step(key, old.get(key), step) for key, step in new.items()),
        *(_step(key, step, None) for key, step in old.items() if key not in new),
    ]
    return VersionDiff(
        sequence_id=after.sequence_id,
        version=after.version,
        against=None if before is None else before.version,
        fields=_fields(_of_version(before), _of_version(after)),
        steps=tuple(change for change in changes if change.change != "changed" or change.fields),
    )


def _step(key: str, before: Step | None, after: Step | None) -> StepChange:
    kind = "added" if before is None else "removed" if after is None else "changed"
    return StepChange(key=key, change=kind, fields=_fields(_of_step(before), _of_step(after)))


def _fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    names = dict.fromkeys([*after, *before])
    return tuple(
        FieldChange(field=name, before=before.get(name), after=after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    )


def _of_version(version: Version | None) -> Mapping[str, Any]:
    return {} if version is None else {"sender_id": str(version.sender_id)}


def _of_step(step: Step | None) -> Mapping[str, Any]:
    return {} if step is None else step.model_dump(mode="json", include=set(_COMPARED))
