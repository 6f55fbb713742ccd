"""What an answer says: a model, or an error with words. Pure, and the same for both clients."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar, cast

import httpx
from pydantic import TypeAdapter, ValidationError

from postroad.errors import PostroadError, ProblemError, UnexpectedAnswerError

T = TypeVar("T")


def read(text: bytes | str, as_: type[T]) -> T:
    """JSON as what it is said to be. Raises UnexpectedAnswerError."""
    try:
        return cast("T", _adapter(cast("Any", as_)).validate_json(text))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UnexpectedAnswerError(
            f"The answer is not as described ({f'{where}: ' if where else ''}{first['msg']}): "
            "is it Postroad's API, and not older than this client?"
        ) from error


def problem_of(response: httpx.Response) -> PostroadError:
    """What an answer that is none of success says; it was read to its end."""
    try:
        document = response.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return UnexpectedAnswerError(f"{response.url} answered {response.status_code}: is it Postroad's API?")
    return ProblemError.of(response.status_code, document)


@lru_cache(maxsize=512)
def _adapter(as_: Any) -> TypeAdapter[Any]:
    return TypeAdapter(as_)
