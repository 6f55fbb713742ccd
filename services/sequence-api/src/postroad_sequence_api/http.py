"""Between HTTP and the models: reading what was asked, answering, and who may."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeVar
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ValidationError

from postroad_sequence_api.auth import Caller
from postroad_sequence_api.context import Context, Desk
from postroad_sequence_api.errors import (
    BadRequestError,
    InvalidFieldError,
    NotFoundError,
    TooLargeError,
    UnsupportedMediaError,
)

CONTEXT: Final = web.AppKey("context", Context)
CALLER: Final = web.RequestKey("caller", Caller)
MAX_BODY_BYTES: Final = 2 * 2**20

BodyT = TypeVar("BodyT", bound=BaseModel)


def context_of(request: web.Request) -> Context:
    """The process's context."""
    return request.app[CONTEXT]


def caller_of(request: web.Request) -> Caller:
    """Whose key the request came with."""
    return request[CALLER]


def desk_of(request: web.Request) -> Desk:
    """Where the caller's work is done."""
    return Desk(context_of(request), caller_of(request).tenant_id)


def path_id(request: web.Request, what: str, name: str = "id") -> UUID:
    """The id in the path; one that is no UUID names nothing, so it is not found."""
    try:
        return UUID(hex=request.match_info[name])
    except ValueError as error:
        raise NotFoundError(what) from error


async def read_body(request: web.Request, model: type[BodyT]) -> BodyT:
    """The JSON body as a model."""
    if request.content_type != "application/json":
        raise UnsupportedMediaError("application/json")
    if (request.charset or "utf-8").lower().replace("_", "-") not in {"utf-8", "utf8"}:
        raise UnsupportedMediaError("application/json in UTF-8")
    return _parse(await _read(request), model)


async def read_optional_body(request: web.Request, model: type[BodyT]) -> BodyT:
    """The JSON body as a model; no body is an empty object."""
    if not request.body_exists or not (await _read(request)).strip():
        return model.model_validate({})
    return await read_body(request, model)


def read_query(request: web.Request, model: type[BodyT]) -> BodyT:
    """The query string as a model. A name given twice is refused: which was meant?"""
    names = list(request.query.keys())
    for name in names:
        if names.count(name) > 1:
            raise InvalidFieldError(name, "is given more than once")
    return model.model_validate(dict(request.query))


def answer(view: BaseModel, status: int = 200) -> web.Response:
    """A model as the JSON response."""
    return web.Response(
        status=status,
        body=view.__pydantic_serializer__.to_json(view),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},  # people's data, and some answers hold secrets
    )


@contextmanager
def decoding() -> Iterator[None]:
    """Around reading a body: one that is not encoded as its headers say is the client's fault."""
    try:
        yield
    except web.RequestPayloadError as error:
        raise BadRequestError("malformed_encoding", "The body is not encoded as its headers say.") from error


async def _read(request: web.Request) -> bytes:
    try:
        with decoding():
            return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise TooLargeError(MAX_BODY_BYTES) from error


def _parse(body: bytes, model: type[BodyT]) -> BodyT:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        malformed = next((e for e in error.errors(include_input=False) if e["type"] == "json_invalid"), None)
        if malformed is not None:
            raise BadRequestError("malformed_json", malformed["msg"]) from error
        raise
