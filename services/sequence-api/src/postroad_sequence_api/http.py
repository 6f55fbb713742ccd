"""Between HTTP and the models: reading what was asked, and answering."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from postroad_sequence_api.context import Context
from postroad_sequence_api.errors import BadRequestError, InvalidFieldError, TooLargeError, UnsupportedMediaError
from postroad_sequence_api.rate_limits import Allowance

CONTEXT: Final = web.AppKey("context", Context)
ALLOWANCE: Final = web.RequestKey("allowance", Allowance)
MAX_BODY_BYTES: Final = 2 * 2**20
REQUEST_LINE_BYTES: Final = 2**17
"""Room for what is documented: a filter of 4,000 characters takes up to twelve bytes for each of them."""

BodyT = TypeVar("BodyT", bound=BaseModel)


def parse(request: web.Request, body: bytes, model: type[BodyT]) -> BodyT:
    """A JSON body as a model."""
    if request.content_type != "application/json":
        raise UnsupportedMediaError("application/json")
    if (request.charset or "utf-8").lower().replace("_", "-") not in {"utf-8", "utf8"}:
        raise UnsupportedMediaError("application/json in UTF-8")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        malformed = next((e for e in error.errors(include_input=False) if e["type"] == "json_invalid"), None)
        if malformed is not None:
            raise BadRequestError("malformed_json", malformed["msg"]) from error
        raise


def read_query(request: web.Request, model: type[BodyT]) -> BodyT:
    """The query string as a model. A name given twice is refused: which was meant?"""
    names = list(request.query.keys())
    for name in names:
        if names.count(name) > 1:
            raise InvalidFieldError(name, "is given more than once")
    return model.model_validate(dict(request.query))


def answer(view: BaseModel, status: int) -> web.Response:
    """A model as the JSON response; its revision, if it has one, is the ETag."""
    headers = {"Cache-Control": "no-store"}  # people's data, and some answers hold secrets
    revision = getattr(view, "revision", None)
    if revision is not None:
        headers["ETag"] = f'"{revision}"'
    return web.Response(
        status=status,
        body=view.__pydantic_serializer__.to_json(view),
        content_type="application/json",
        headers=headers,
    )


@contextmanager
def decoding() -> Iterator[None]:
    """Around reading a body: one that is not encoded as its headers say is the client's fault."""
    try:
        yield
    except web.RequestPayloadError as error:
        raise BadRequestError("malformed_encoding", "The body is not encoded as its headers say.") from error


@contextmanager
def reading_csv(request: web.Request) -> Iterator[AsyncIterator[bytes]]:
    """Around reading a CSV file part by part. Raises UnsupportedMediaError, and BadRequestError as decoding does."""
    if request.content_type != "text/csv":
        raise UnsupportedMediaError("text/csv")
    with decoding():
        yield request.content.iter_any()


async def read_bytes(request: web.Request) -> bytes:
    """The body as it was sent, decompressed. Raises TooLargeError."""
    try:
        with decoding():
            return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise TooLargeError(MAX_BODY_BYTES) from error
