"""What a handler's signature says: what it is given, what it takes, what it answers."""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args, get_origin, get_type_hints
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel

from postroad_sequence_api.auth import Caller, Role
from postroad_sequence_api.context import Context, Desk, Last, Work
from postroad_sequence_api.models.base import Body, Query, View

Handler: TypeAlias = Callable[..., Awaitable[View | Last[Any] | web.StreamResponse | None]]
Access: TypeAlias = Role | Literal["operator"]

GIVEN: Final[Mapping[str, type]] = {
    "work": Work,
    "desk": Desk,
    "context": Context,
    "caller": Caller,
    "request": web.Request,
}
"""What the door gives by name. work: a transaction of the door's, which holds the whole request. desk: for a handler
that needs several, or time between them. What it does must be safe to repeat, but for the Last step that it answers."""
PATH_TYPES: Final = (UUID, int, str)
_PLACES: Final = re.compile(r"{(\w+)}")


class SignatureError(TypeError):
    """A handler whose signature does not fit its route."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A handler as its signature describes it.

    given: the names in GIVEN that it asks for. body and query: their models, or None. answer: the model of the answer;
    None for no content, or for a stream.
    """

    handler: Handler
    given: frozenset[str]
    body: type[Body] | None
    body_optional: bool
    query: type[Query] | None
    path: Mapping[str, type]
    answer: type[View] | None
    streams: bool

    @property
    def name(self) -> str:
        """noun_verb, as in contacts_create: the operation's id."""
        return f"{self.noun.replace('-', '_')}_{self.handler.__name__.rstrip('_')}"

    @property
    def noun(self) -> str:
        """The handler's file, as in webhook-sources: what keys have scopes for."""
        return self.handler.__module__.rpartition(".")[2].replace("_", "-")


def read(handler: Handler, path: str) -> Endpoint:
    """The endpoint of a handler at a path. Raises SignatureError when they do not fit each other."""
    hints = get_type_hints(handler)
    answer = hints.pop("return", None)
    if get_origin(answer) is Last:
        (answer,) = get_args(answer)
        if "work" in hints:
            raise SignatureError(f"{handler}: the transaction it is given is its last step")
    parameters = inspect.signature(handler).parameters
    for name, expected in GIVEN.items():
        if name in hints and hints[name] is not expected:
            raise SignatureError(f"{handler}: {name} must be a {expected.__name__}")
    in_path = {name: kind for name, kind in hints.items() if name not in GIVEN and name not in {"body", "query"}}
    if list(in_path) != _PLACES.findall(path) or any(kind not in PATH_TYPES for kind in in_path.values()):
        raise SignatureError(f"{handler}: {in_path} is not what {path} names")
    streams = isinstance(answer, type) and issubclass(answer, web.StreamResponse)
    return Endpoint(
        handler=handler,
        given=frozenset(hints) & frozenset(GIVEN),
        body=_model(hints, "body", Body),
        body_optional="body" in parameters and parameters["body"].default is not inspect.Parameter.empty,
        query=_model(hints, "query", Query),
        path=in_path,
        answer=None if streams or answer is type(None) else _view(handler, answer),
        streams=streams,
    )


def _model(hints: Mapping[str, Any], name: str, base: type[BaseModel]) -> Any:
    model = hints.get(name)
    if model is not None and not (isinstance(model, type) and issubclass(model, base)):
        raise SignatureError(f"{name} must be a {base.__name__}, not {model}")
    return model


def _view(handler: Handler, answer: Any) -> type[View]:
    if not (isinstance(answer, type) and issubclass(answer, View)):
        raise SignatureError(f"{handler}: answers {answer}, which is no View")
    return answer
