"""The modules of operations: the same methods, waiting and awaited."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from clients.python.generator.models import is_page
from clients.python.generator.prose import docstring
from clients.python.generator.schemas import Schema, Types, UnforeseenError, camel, fields_of, python_name, ref_of

_JSON: Final = "application/json"
_NDJSON: Final = "application/x-ndjson"
_EVENTS: Final = "text/event-stream"
_ANY: Final = "dict[str, Any]"
_PLACE: Final = re.compile(r"{(\w+)}")
_NONE: Final = " | None"


@dataclass(frozen=True)
class Flavour:
    """How one of the two clients is written."""

    prefix: str
    awaits: bool

    @property
    def module(self) -> str:
        """What stands above its operations."""
        a = self.prefix
        return f'''"""Every operation{", awaited" * self.awaits}, written from docs/openapi.json by `make docs`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from postroad import models as m
from postroad import params as p
from postroad.pages import {a}Pages, Page
from postroad.requests import UNSET, {a}Upload, Request, Unset, as_json, given, quoted
from postroad.streams import {a}Stream
from postroad.transport import {a}Transport
'''


WAITING: Final = Flavour("", awaits=False)
AWAITED: Final = Flavour("Async", awaits=True)


@dataclass(frozen=True)
class Operation:
    """An operation of the document."""

    method: str
    path: str
    described: Schema
    types: Types

    @property
    def noun(self) -> str:
        """What it is about, as an attribute of the client."""
        return str(self.described["tags"][0]).replace("-", "_")

    @property
    def verb(self) -> str:
        """Its method."""
        return python_name(str(self.described["operationId"]).removeprefix(f"{self.noun}_"))

    @property
    def is_its_noun(self) -> bool:
        """Whether it is a method of the client itself: verify."""
        return self.verb == self.noun

    @cached_property
    def answer(self) -> Mapping[str, Schema]:
        """What it answers when all is well, by media type."""
        answers = [one for status, one in self.described["responses"].items() if status.startswith("2")]
        contents: list[Mapping[str, Schema]] = [one.get("content", {}) for one in answers]
        schemas = [{media: content["schema"] for media, content in one.items()} for one in contents]
        if any(schema != schemas[0] for schema in schemas):
            raise UnforeseenError(f"{self.described['operationId']} answers this or that")
        return contents[0]

    @cached_property
    def body(self) -> Schema:
        """The fields of its body."""
        content = self.described.get("requestBody", {}).get("content", {})
        return self.types.components[str(ref_of(content[_JSON]["schema"]))] if _JSON in content else {}

    def argument(self, field: str) -> str:
        """The argument of a field of the body; one of the path's name is what it is to become."""
        name = python_name(field)
        return f"new_{name}" if any(one["name"] == name for one in self.parameters("path")) else name

    @property
    def upload(self) -> str | None:
        """The media type of a body that is a file."""
        content = self.described.get("requestBody", {}).get("content", {})
        return next((media for media in content if media != _JSON), None)

    def parameters(self, where: str) -> list[Schema]:
        """Its parameters of a place."""
        return [one for one in self.described["parameters"] if one["in"] == where]

    @property
    def headers(self) -> set[str]:
        """The headers that it may be told something by."""
        return {one["name"] for one in self.parameters("header")}


def operations_of(document: Schema, types: Types) -> dict[str, list[Operation]]:
    """All operations by noun."""
    found: dict[str, list[Operation]] = {}
    for path, item in sorted(document["paths"].items()):
        for method, described in sorted(item.items(), key=lambda one: list(_ORDER).index(one[0])):
            operation = Operation(method.upper(), path, described, types)
            found.setdefault(operation.noun, []).append(operation)
    return dict(sorted(found.items()))


_ORDER: Final = ("get", "post", "put", "patch", "delete")


def operations_module(document: Schema, types: Types, flavour: Flavour) -> str:
    """A class a noun, and one that has them all."""
    nouns = operations_of(document, types)
    classes = [
        _noun(noun, operations, flavour)
        for noun, operations in nouns.items()
        if not all(operation.is_its_noun for operation in operations)
    ]
    return flavour.module + "\n\n" + "\n\n".join([*classes, _all(nouns, flavour)])


def _noun(noun: str, operations: list[Operation], flavour: Flavour) -> str:
    lines = [
        f"class {flavour.prefix}{camel(noun)}:",
        f'    """The operations on {noun.replace("_", " ")}."""',
        "",
        f"    def __init__(self, api: {flavour.prefix}Transport) -> None:",
        "        self._api = api",
    ]
    for operation in operations:
        lines += ["", *_methods(operation, flavour)]
    return "\n".join(lines) + "\n"


def _all(nouns: Mapping[str, list[Operation]], flavour: Flavour) -> str:
    lines = [
        f"class {flavour.prefix}Operations:",
        '    """The operations by noun."""',
        "",
        f"    def __init__(self, api: {flavour.prefix}Transport) -> None:",
        "        self._api = api",
    ]
    own = [operation for operations in nouns.values() for operation in operations if operation.is_its_noun]
    grouped = [noun for noun, operations in nouns.items() if not all(one.is_its_noun for one in operations)]
    lines += [f"        self.{noun} = {flavour.prefix}{camel(noun)}(api)" for noun in grouped]
    for operation in own:
        lines += ["", *_methods(operation, flavour)]
    return "\n".join(lines) + "\n"


def _methods(operation: Operation, flavour: Flavour) -> Iterator[str]:
    """The method of an operation; of one that answers lines or a file, a method each."""
    if len(operation.answer) < 2:
        yield from _method(operation, next(iter(operation.answer), None), operation.verb, flavour)
        return
    for media in sorted(operation.answer, key=lambda media: media != _NDJSON):
        suffix = "" if media == _NDJSON else f"_{media.rpartition('/')[2].replace('-', '_')}"
        yield from _method(operation, media, operation.verb + suffix, flavour)
        yield ""


def _method(operation: Operation, media: str | None, name: str, flavour: Flavour) -> Iterator[str]:
    call = _call(operation, media, flavour)
    waits = "async " if flavour.awaits and call.awaited else ""
    yield f"    {waits}def {name}({', '.join(['self', *_arguments(operation, flavour)])}) -> {call.gives}:"
    described = operation.described
    text = "\n\n".join(filter(None, (described["summary"], described.get("description"))))
    yield docstring(text, indent=8, more=_said(operation))
    yield f"        {'return ' if call.gives != 'None' else ''}{'await ' if waits else ''}{call.code}"


@dataclass(frozen=True)
class Call:
    """How an operation is asked for: the type of what comes, and the code."""

    gives: str
    code: str
    awaited: bool = True


def _call(operation: Operation, media: str | None, flavour: Flavour) -> Call:
    asked = _request(operation, media)
    if media is None:
        return Call("None", f"self._api.do({asked})")
    if media == _JSON:
        return _call_for_json(operation, asked, flavour)
    content, stream = operation.answer[media], f"{flavour.prefix}Stream"
    item = operation.types.annotation(content["x-item-schema"], "answer") if "x-item-schema" in content else _ANY
    if media == _NDJSON:
        resumes = ", resumes=True" if _resumes(operation, content) else ""
        return Call(f"{stream}[{item}]", f"self._api.rows({asked}, {item}{resumes})", awaited=False)
    if media == _EVENTS:
        return Call(f"{stream}[{item}]", f"self._api.events({asked}, {item})", awaited=False)
    return Call(f"{stream}[bytes]", f"self._api.download({asked})", awaited=False)


def _call_for_json(operation: Operation, asked: str, flavour: Flavour) -> Call:
    content = operation.answer[_JSON]
    component = operation.types.components[str(ref_of(content["schema"]))]
    if is_page(component):
        item = operation.types.annotation(component["properties"]["items"]["items"], "answer")
        return Call(f"{flavour.prefix}Pages[{item}]", f"self._api.pages({asked}, Page[{item}])", awaited=False)
    answer = operation.types.annotation(content["schema"], "answer")
    if operation.upload is not None:
        return Call(answer, f"self._api.upload({asked}, {_file_of(operation)}, {answer})")
    return Call(answer, f"self._api.call({asked}, {answer})")


def _resumes(operation: Operation, content: Schema) -> bool:
    """Whether the lines have a cursor, and the request can be asked for those behind one."""
    item = operation.types.components.get(str(ref_of(content.get("x-item-schema", {}))), {})
    in_query = {one["name"] for one in operation.parameters("query")}
    return "cursor" in item.get("properties", {}) and "after" in in_query


def _arguments(operation: Operation, flavour: Flavour) -> Iterator[str]:
    types = operation.types
    for parameter in operation.parameters("path"):
        yield f"{parameter['name']}: {types.annotation(parameter['schema'], 'body')}"
    if operation.upload is not None:
        yield f"{_file_of(operation)}: {flavour.prefix}Upload"
    named = [*_named(operation)]
    if named:
        yield "*"
        yield from named


def _named(operation: Operation) -> Iterator[str]:
    types = operation.types
    required = operation.body.get("required", ())
    for name, schema in fields_of(operation.body):
        annotation = types.annotation(schema, "body")
        null = _NONE if annotation.endswith(_NONE) else ""
        optional = f"{annotation.removesuffix(_NONE)} | Unset{null} = UNSET"
        yield f"{operation.argument(name)}: {annotation if name in required else optional}"
    for parameter in sorted(operation.parameters("query"), key=lambda one: not one["required"]):
        annotation = types.annotation(_value(parameter), "body")
        optional = "" if parameter["required"] else " | None = None"
        yield f"{python_name(parameter['name'])}: {annotation.removesuffix(_NONE)}{optional}"
    if "If-Match" in operation.headers:
        yield "if_match: int | None = None"
    if "Idempotency-Key" in operation.headers:
        yield "idempotency_key: str | None = None"


def _value(parameter: Schema) -> Schema:
    """What a parameter is: one of JSON is what the JSON says."""
    schema: Schema = parameter["schema"]
    inner: Schema = schema.get("contentSchema", schema)
    return inner


def _file_of(operation: Operation) -> str:
    return str(operation.upload).rpartition("/")[2]


def _request(operation: Operation, media: str | None) -> str:
    parts = [f'"{operation.method}"', _path(operation)]
    if query := operation.parameters("query"):
        parts.append(f"query={{{', '.join(_pair(parameter) for parameter in query)}}}")
    if operation.body:
        given = ", ".join(f"{python_name(name)}={operation.argument(name)}" for name, _ in fields_of(operation.body))
        parts.append(f"body=given({given}){'' if operation.described['requestBody']['required'] else ' or None'}")
    if "If-Match" in operation.headers:
        parts.append("if_match=if_match")
    if "Idempotency-Key" in operation.headers:
        parts.append("idempotency_key=idempotency_key")
    if media not in {None, _JSON}:
        parts.append(f'accept="{media}"')
    if operation.upload is not None:
        parts.append(f'media_type="{operation.upload}"')
    return f"Request({', '.join(parts)})"


def _pair(parameter: Schema) -> str:
    name = python_name(parameter["name"])
    value = f"as_json({name})" if "contentSchema" in parameter["schema"] else name
    return f'"{parameter["name"]}": {value}'


def _path(operation: Operation) -> str:
    if not operation.parameters("path"):
        return f'"{operation.path}"'
    return f'f"{_PLACE.sub(lambda place: "{quoted(" + place[1] + ")}", operation.path)}"'


def _said(operation: Operation) -> Iterator[str]:
    """What the document says of the arguments."""
    for parameter in operation.parameters("path"):
        if "description" in parameter:
            yield f"{parameter['name']}: {_line(parameter)}"
    for name, schema in fields_of(operation.body):
        if said := _line(schema):
            yield f"{operation.argument(name)}: {said}"
    for parameter in operation.parameters("query"):
        if said := _line({**parameter["schema"], **parameter}):
            yield f"{python_name(parameter['name'])}: {said}"
    if "If-Match" in operation.headers:
        yield "if_match: The `revision` that was read: ChangedMeanwhileError when it has another one by now."


def _line(described: Schema) -> str:
    """What is said of a field or parameter, in a line, and its default."""
    default: Any = described.get("default")
    said = " ".join(str(described.get("description", "")).split())
    return f"{said} By default {json.dumps(default)}.".strip() if default not in (None, "", [], {}) else said
