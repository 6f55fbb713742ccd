"""The API's description as a page for people: plain HTML that needs no script and no other site."""

import json
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader

Document = Mapping[str, Any]


def docs_page(document: Document) -> str:
    """The whole page."""
    environment = Environment(
        loader=PackageLoader("postroad_sequence_api", "pages"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["schema_name"] = schema_name
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=2, ensure_ascii=False)
    by_tag: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            by_tag[operation["tags"][0]].append({"method": method.upper(), "path": path, **operation})
    return environment.get_template("docs.html").render(document=document, by_tag=by_tag)


def schema_name(schema: Mapping[str, Any]) -> str:
    """A schema in a word or two: the name of what it refers to, or its type."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(schema_name(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {schema_name(schema.get('items', {}))}"
    if "enum" in schema:
        return " | ".join(str(one) for one in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    words = [str(schema.get("type", "any")), str(schema.get("format", ""))]
    return " ".join(word for word in words if word)
