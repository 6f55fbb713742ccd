"""What a reason is: a frozen value with a JSON form that is kept in rows, and a sentence for people."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, ClassVar, get_args, get_type_hints

from typing_extensions import override

REGISTRY: dict[str, type["Reason"]] = {}

_Codec = tuple[Callable[[Any], object], Callable[[Any], object]]


class Reason(ABC):
    """One rule that moved, held, stopped or settled a step. `kind` is its name in JSON and never changes."""

    __slots__ = ()
    kind: ClassVar[str]

    @override
    def __init_subclass__(cls) -> None:
        REGISTRY[cls.kind] = cls

    @abstractmethod
    def sentence(self) -> str:
        """The reason in plain English, for whoever asks why."""

    def to_json(self) -> dict[str, object]:
        """`{"kind": ..., field: ...}` of JSON's own types: times in ISO 8601, spans in seconds."""
        return {"kind": self.kind} | {
            name: None if (value := getattr(self, name)) is None else encode(value)
            for name, (encode, _) in _codecs(type(self))
        }


@dataclass(frozen=True, slots=True)
class Unrecognised(Reason):
    """A reason this version cannot read, kept as it came: a newer process may have written it."""

    kind: ClassVar[str] = "unrecognised"
    data: Mapping[str, object]

    @override
    def sentence(self) -> str:
        return f"A rule that this version does not know: {self.data.get('kind', 'unnamed')}."

    @override
    def to_json(self) -> dict[str, object]:
        return dict(self.data)


def from_json(data: Mapping[str, object]) -> Reason:
    """The reason of a JSON form. Never fails: what it cannot read is kept as Unrecognised."""
    cls = REGISTRY.get(str(data.get("kind")))
    if cls is None or cls is Unrecognised:
        return Unrecognised(data)
    try:
        return cls(**{name: None if data[name] is None else decode(data[name]) for name, (_, decode) in _codecs(cls)})
    except (KeyError, TypeError, ValueError, OverflowError):
        return Unrecognised(data)


def _same(value: object) -> object:
    return value


def _to_datetime(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _to_span(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


@cache
def _codecs(cls: type[Reason]) -> tuple[tuple[str, _Codec], ...]:
    hints = get_type_hints(cls)
    return tuple((field.name, _codec(hints[field.name])) for field in fields(cls))  # type: ignore[arg-type]  # each is a dataclass


def _codec(hint: Any) -> _Codec:
    if isinstance(hint, UnionType):
        hint = next(arm for arm in get_args(hint) if arm is not type(None))
    if hint is datetime:
        return datetime.isoformat, _to_datetime
    if hint is timedelta:
        return timedelta.total_seconds, _to_span
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return str, hint
    return _same, _same


def when(instant: datetime) -> str:
    """An instant for people: `Tue 3 Mar 2026, 09:00 UTC`."""
    utc = instant.astimezone(UTC)
    return f"{utc:%a} {utc.day} {utc:%b %Y, %H:%M} UTC"
