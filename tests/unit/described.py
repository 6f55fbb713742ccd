"""Things as docs/openapi.json describes them: what a test does not say of an answer is filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from postroad_sequence_api.openapi_examples import example_of

Schema = Mapping[str, Any]


@cache
def document() -> Any:
    return json.loads((Path(__file__).parents[2] / "docs/openapi.json").read_text())


def a(name: str, /, **given: Any) -> Any:
    """The JSON of a thing: what may be null is null, the rest an example."""
    return filled(document()["components"]["schemas"][name], json.loads(json.dumps(given, default=str)))


def filled(schema: Schema, value: Any) -> Any:
    """A value with what its schema says must be there."""
    components = document()["components"]["schemas"]
    if "$ref" in schema:
        return filled(components[schema["$ref"].rpartition("/")[2]], value)
    if "anyOf" in schema and value is not None:
        return filled(next(one for one in schema["anyOf"] if one != {"type": "null"}), value)
    match value:
        case dict() if "properties" in schema:
            described = {name: schema["properties"][name] for name in schema.get("required", ())}
            missing = {name: _some(one, components) for name, one in described.items() if name not in value}
            return missing | {name: filled(schema["properties"].get(name, {}), one) for name, one in value.items()}
        case list() if "items" in schema:
            return [filled(schema["items"], one) for one in value]
        case _:
            return value


def answer_of(method: str, path: str, status: int, value: Any) -> Any:
    """What an operation answers, filled in; what the document does not know stays as it is."""
    for template, item in document()["paths"].items():
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path) and method.lower() in item:
            responses = item[method.lower()]["responses"]
            content = responses.get(str(status), {}).get("content", {})
            if "application/json" in content:
                return filled(content["application/json"]["schema"], value)
    return value


def _some(schema: Schema, components: Any) -> Any:
    return None if {"type": "null"} in schema.get("anyOf", ()) else example_of(schema, components)
