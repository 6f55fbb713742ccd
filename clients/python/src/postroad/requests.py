"""What a request says: pure, and the same for both clients."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import quote
from uuid import UUID, uuid4

from pydantic_core import to_json
from typing_extensions import override

from postroad.errors import InputError

Id: TypeAlias = UUID | str
Upload: TypeAlias = bytes | Path | Callable[[], Iterable[bytes]]
"""A file: what is in it, where it is, or a function that reads it from its beginning each time it is called."""
AsyncUpload: TypeAlias = bytes | Path | Callable[[], AsyncIterable[bytes]]
"""As Upload."""

_JSON: Final = "application/json"


class Unset:
    """The type of UNSET."""

    @override
    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()
"""In the place of a field of a body that is not sent: None would be sent as null."""


@dataclass(frozen=True)
class Request:
    """One request of an operation.

    query: None is left out. body: what is sent as JSON, None for no body. media_type: what a body is. A POST without
    an idempotency_key is given one by once().
    """

    method: str
    path: str
    query: Mapping[str, object] = field(default_factory=dict)
    body: Mapping[str, object] | None = field(default=None, repr=False)
    idempotency_key: str | None = None
    if_match: int | None = None
    accept: str = _JSON
    media_type: str = _JSON

    def once(self) -> Request:
        """The same with all that its repetitions must have alike."""
        if self.method == "POST" and self.idempotency_key is None:
            return replace(self, idempotency_key=str(uuid4()))
        return self

    def after(self, cursor: str) -> Request:
        """The request for what comes after a cursor."""
        return replace(self, query={**self.query, "after": cursor})

    @property
    def is_repeatable(self) -> bool:
        """Whether it may be sent again when it may have been acted on.

        An edit with If-Match may not: if the first was done, the second is refused as if somebody else had done it.
        """
        return self.if_match is None or self.idempotency_key is not None

    def arguments(self) -> dict[str, Any]:
        """What httpx is to be told of it, besides the content."""
        headers = {"Accept": self.accept}
        if self.idempotency_key is not None:
            headers["Idempotency-Key"] = self.idempotency_key
        if self.if_match is not None:
            headers["If-Match"] = f'"{self.if_match}"'
        if self.body is not None or self.media_type != _JSON:
            headers["Content-Type"] = self.media_type
        params = {name: _as_text(value) for name, value in self.query.items() if value is not None}
        return {"method": self.method, "url": self.path, "params": params, "headers": headers}

    def content(self) -> bytes | None:
        """The body as it is sent."""
        return None if self.body is None else to_json(self.body)


def given(**fields: object) -> Mapping[str, object]:
    """The fields of a body that were given."""
    return {name: value for name, value in fields.items() if not isinstance(value, Unset)}


def quoted(value: UUID | str | int) -> str:
    """A value as a segment of a path. Raises InputError for what would lead to another path."""
    text = str(value)
    if text in {"", ".", ".."}:
        raise InputError(f"{text!r} names nothing.")
    return quote(text, safe="")


def as_json(value: object) -> str | None:
    """A value of a query that is JSON; None stays what it is."""
    return None if value is None else to_json(value).decode()


def _as_text(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat()
        case _:
            return str(value)
