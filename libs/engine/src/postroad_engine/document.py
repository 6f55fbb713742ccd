"""The plain form of a sequence's steps, as JSON and YAML carry it: read with every error named, and written."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from itertools import count
from typing import Any, TypeAlias
from uuid import UUID

from postroad_engine.definition import EmailStep, FieldError, Step, Thread, validate
from postroad_engine.delays import format_delay, format_time_of_day, parse_delay, parse_time_of_day
from postroad_engine.errors import EngineError

_EMAIL_FIELDS = frozenset({"key", "kind", "template_id", "delay", "preferred_time", "thread"})
# Written by steps_to_plain, so that what was read may be sent back; a version's own places and pins decide.
_READ_ONLY = frozenset({"number", "template_version"})


@dataclass(frozen=True, slots=True)
class Invalid:
    """Everything that is wrong with a document."""

    errors: tuple[FieldError, ...]


Parsed: TypeAlias = tuple[Step, ...] | Invalid


def parse_steps(value: object) -> Parsed:
    """The steps of a list of mappings, or each thing wrong with it. A key not given is `step-<number>`."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return Invalid((FieldError("steps", "steps are a list"),))
    keys = _keys(value)
    read = [_Reader(f"steps[{index}]").step(item, index + 1, keys[index]) for index, item in enumerate(value)]
    errors = tuple(error for step in read if isinstance(step, Invalid) for error in step.errors)
    steps = tuple(step for step in read if not isinstance(step, Invalid))
    errors = errors or validate(steps)
    return Invalid(errors) if errors else steps


def steps_to_plain(steps: Sequence[Step]) -> list[dict[str, object]]:
    """The form that parse_steps reads, of JSON's own types."""
    return [_to_plain(step) for step in steps]


def _to_plain(step: Step) -> dict[str, object]:
    return {
        "key": step.key,
        "number": step.number,
        "kind": step.kind,
        "delay": format_delay(step.delay),
        "preferred_time": None if step.preferred_time is None else format_time_of_day(step.preferred_time),
        "template_id": str(step.template_id),
        "template_version": step.template_version,
        "thread": step.thread,
    }


def _keys(items: Sequence[object]) -> list[object]:
    """Each step's key: its own, else the first `step-<n>` from its number on that no other step has."""
    given = [item.get("key") if isinstance(item, Mapping) else None for item in items]
    taken = {key for key in given if isinstance(key, str)}
    keys: list[object] = []
    for number, key in enumerate(given, start=1):
        keys.append(_free_key(number, taken) if key is None else key)
        taken.add(str(keys[-1]))
    return keys


def _free_key(number: int, taken: Collection[str]) -> str:
    return next(key for n in count(number) if (key := f"step-{n}") not in taken)


class _Reader:
    """Reads one step and keeps what is wrong with it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._errors: list[FieldError] = []

    def step(self, item: object, number: int, key: object) -> Step | Invalid:
        if not isinstance(item, Mapping):
            return Invalid((FieldError(self._path, "a step is a mapping of fields"),))
        if item.get("kind", EmailStep.kind) != EmailStep.kind:
            return Invalid((FieldError(f"{self._path}.kind", f"the kinds of step are: {EmailStep.kind}"),))
        for name in sorted(map(str, item.keys() - _EMAIL_FIELDS - _READ_ONLY)):
            self._wrong(name, "an email step has no such field")
        step = EmailStep(
            key=self._key(key),
            number=number,
            delay=self._delay(item.get("delay", 0)),
            preferred_time=self._preferred_time(item.get("preferred_time")),
            template_id=self._template_id(item.get("template_id")),
            thread=self._thread(item.get("thread", "new")),
        )
        return Invalid(tuple(self._errors)) if self._errors else step

    def _wrong(self, field: str, message: str) -> None:
        self._errors.append(FieldError(f"{self._path}.{field}", message))

    def _key(self, value: object) -> str:
        if isinstance(value, str):
            return value
        self._wrong("key", "a key is a text")
        return ""

    def _delay(self, value: object) -> timedelta:
        try:
            return parse_delay(value)
        except EngineError as error:
            self._wrong("delay", str(error))
            return timedelta(0)

    def _preferred_time(self, value: object) -> time | None:
        if value is None:
            return None
        try:
            return parse_time_of_day(value)
        except EngineError as error:
            self._wrong("preferred_time", str(error))
            return None

    def _template_id(self, value: object) -> UUID:
        try:
            return value if isinstance(value, UUID) else UUID(str(value))
        except ValueError:
            self._wrong("template_id", "a template's id is a UUID")
            return UUID(int=0)

    def _thread(self, value: Any) -> Thread:
        if value not in ("new", "reply"):
            self._wrong("thread", 'a thread is "new" or "reply"')
            return "new"
        return value  # type: ignore[no-any-return]  # it is one of the two
