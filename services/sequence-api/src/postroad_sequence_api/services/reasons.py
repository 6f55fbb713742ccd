"""Reasons as they are stored, said by the engine that wrote them."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from postroad_engine.reasons import Reason, from_json

Stored: TypeAlias = Sequence[Mapping[str, Any]] | Mapping[str, Any] | None
"""The jsonb of a row: a list of reasons, or one."""


def reasons_of(stored: Stored) -> tuple[Reason, ...]:
    """The reasons of a row."""
    if not stored:
        return ()
    items = (stored,) if isinstance(stored, Mapping) else stored
    return tuple(from_json(item) for item in items)


def sentences(stored: Stored) -> tuple[str, ...]:
    """The reasons of a row as sentences."""
    return tuple(reason.sentence() for reason in reasons_of(stored))
