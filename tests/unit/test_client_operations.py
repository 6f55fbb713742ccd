"""Every operation of docs/openapi.json is a method of both clients: it sends what the document says, and reads it."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from postroad import AsyncClient, Client
from postroad_sequence_api.openapi_examples import example_of
from tests.unit.both_clients import Network, both, client, listed, result
from tests.unit.described import document

FILES: dict[str | None, bytes] = {"text/csv": b"line,result\n", "message/rfc822": b"Subject: Hello\r\n\r\n"}
"""Answers that are no JSON, by their media types."""


@dataclass(frozen=True)
class Operation:
    """One of the document's, by one of the media types that it answers."""

    method: str
    path: str
    described: Any
    media: str | None

    @property
    def name(self) -> str:
        """Noun and verb, or the verb alone where it is its own noun."""
        noun = self.described["tags"][0].replace("-", "_")
        verb = self.described["operationId"].removeprefix(f"{noun}_")
        suffix = "_csv" if self.media == "text/csv" else ""
        verb = f"{verb}_" if keyword.iskeyword(verb) else verb
        return verb if verb == noun else f"{noun}.{verb}{suffix}"

    def parameters(self, where: str) -> dict[str, Any]:
        """An example of each parameter of a place."""
        return {
            one["name"]: example_of(one["schema"].get("contentSchema", one["schema"]), components())
            for one in self.described["parameters"]
            if one["in"] == where
        }

    @property
    def body(self) -> Any:
        """The document's example of the body; what it leaves to defaults left out."""
        content = self.described.get("requestBody", {}).get("content", {})
        return content["application/json"]["example"] if "application/json" in content else None

    @property
    def takes_a_file(self) -> bool:
        return "text/csv" in self.described.get("requestBody", {}).get("content", {})

    def answer(self) -> tuple[int, bytes, Any]:
        """Status, body and what it says."""
        status = next(status for status in self.described["responses"] if status.startswith("2"))
        content = self.described["responses"][status].get("content", {}).get(self.media, {})
        if self.media == "application/json":
            said = content["example"]
            said = said | {"next": None} if {"items", "next"} == set(said) else said
            return int(status), json.dumps(said).encode(), said
        item = example_of(content["x-item-schema"], components()) if "x-item-schema" in content else {"line": 3}
        lines = {
            None: b"",
            "application/x-ndjson": json.dumps(item).encode() + b"\n",
            "text/event-stream": b"event: ended\ndata: " + json.dumps(item).encode() + b"\n\n",
            **FILES,
        }
        return int(status), lines[self.media], item


def components() -> Any:
    return document()["components"]["schemas"]


def operations() -> Iterator[Operation]:
    for path, item in document()["paths"].items():
        for method, described in item.items():
            media = {
                kind: None
                for status, answer in described["responses"].items()
                if status.startswith("2")
                for kind in answer.get("content", {None: None})
            }
            for kind in media:
                yield Operation(method.upper(), path, described, kind)


def arguments(operation: Operation) -> tuple[list[Any], dict[str, Any]]:
    """What to call the method with: the document's examples."""
    in_path = operation.parameters("path")
    by_name = {f"new_{name}" if name in in_path else name: value for name, value in (operation.body or {}).items()}
    for parameter in operation.described["parameters"]:
        if parameter["in"] == "query":
            value = operation.parameters("query")[parameter["name"]]
            is_time = parameter["schema"].get("format") == "date-time"
            by_name[parameter["name"]] = datetime.fromisoformat(value) if is_time else value
    headers = operation.parameters("header")
    by_name |= {"idempotency_key": "once-4711"} if "Idempotency-Key" in headers else {}
    by_name |= {"if_match": 3} if "If-Match" in headers else {}
    return [*in_path.values(), *([b"email\n"] if operation.takes_a_file else [])], by_name


def called(api: Client | AsyncClient, operation: Operation) -> Any:
    found: Any = api
    for part in operation.name.split("."):
        found = getattr(found, part)
    in_order, by_name = arguments(operation)
    return found(*in_order, **by_name)


@both
@pytest.mark.parametrize("operation", tuple(operations()), ids=lambda one: one.name)
async def test_an_operation_sends_what_the_document_says(
    kind: type[Client | AsyncClient], operation: Operation
) -> None:
    status, content, said = operation.answer()
    network = Network([httpx.Response(status, content=content)])
    async with client(kind, network) as api:
        answer = await result(called(api, operation))
        got = answer if answer is None or isinstance(answer, BaseModel) else await listed(answer)

    [request] = network.seen
    expected_path = operation.path
    for name, value in operation.parameters("path").items():
        expected_path = expected_path.replace(f"{{{name}}}", str(value))
    assert (request.method, request.url.path) == (operation.method, expected_path)
    assert dict(request.url.params) == {name: text(value) for name, value in operation.parameters("query").items()}
    assert (json.loads(request.content) if operation.body else None) == (operation.body or None)
    assert request.headers.get("Idempotency-Key") == ("once-4711" if operation.method == "POST" else None)
    assert request.headers.get("If-Match") == ('"3"' if "If-Match" in operation.parameters("header") else None)
    assert operation.media is None or request.headers["Accept"] == operation.media
    check_answer(operation, got, said)


def check_answer(operation: Operation, got: Any, said: Any) -> None:
    """What was read is what was answered, each model in full."""
    if operation.media is None:
        assert got is None
    elif operation.media in FILES:
        assert got == [FILES[operation.media]]
    elif isinstance(got, list):
        assert [plain(one) for one in got] == said.get("items", [said])
    else:
        assert plain(got) == said


def plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def text(value: Any) -> str:
    """A value as it stands in a query."""
    if isinstance(value, str):
        return re.sub(r"Z$", "+00:00", value) if re.fullmatch(r"[\d-]+T[\d:]+Z", value) else value
    return json.dumps(value, separators=(",", ":"))


def test_every_operation_of_the_document_was_tried() -> None:
    documented = {one["operationId"] for item in document()["paths"].values() for one in item.values()}
    assert {one.described["operationId"] for one in operations()} == documented
    assert len(documented) > 80
