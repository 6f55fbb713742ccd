"""The API's description as a page for people: plain HTML that needs no script and no other site."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape

Document = Mapping[str, Any]

_CODE: Final = re.compile(r"`([^`]+)`")
_PARAGRAPHS: Final = re.compile(r"\n\s*\n")


def docs_page(document: Document) -> str:
    """The whole page."""
    environment = Environment(
        loader=PackageLoader("postroad_sequence_api", "pages"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "schema_name": schema_name,
        "refers_to": _refers_to,
        "says": _says,
        "text": _text,
        "curl": _curl,
        "pretty": lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    }
    by_tag: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            by_tag[operation["tags"][0]].append({"method": method.upper(), "path": path, **operation})
    return environment.get_template("docs.html").render(document=document, by_tag=by_tag)


def schema_name(schema: Mapping[str, Any]) -> str:
    """A schema in a word or two: the name of what it refers to, or its type."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(str(one) for one in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "type" not in schema and "anyOf" in schema:
        return " or ".join(dict.fromkeys(schema_name(one) for one in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {schema_name(schema.get('items', {}))}"
    return str(schema.get("format", schema.get("type", "any")))


def _refers_to(schema: Mapping[str, Any]) -> str:
    """The one schema that a field refers to, by itself, in a list or beside null; or nothing."""
    if "$ref" in schema:
        return schema_name(schema)
    return next(filter(None, (_refers_to(one) for one in [*schema.get("anyOf", ()), *_items(schema)])), "")


def _items(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [schema["items"]] if "items" in schema else []


def _says(described: Mapping[str, Any]) -> Markup:
    """What is said of a field or parameter, or of the type below it; and its default."""
    schema = described.get("schema", described)
    texts = (one.get("description") for one in (described, schema, *schema.get("anyOf", ())))
    said = next(filter(None, texts), "")
    if schema.get("default") not in (None, "", [], {}):
        said = f"{said} By default `{json.dumps(schema['default'])}`."
    return _inline(said.strip())


def _text(text: str) -> Markup:
    """Paragraphs and lists, and what stands in backticks as code."""
    parts = (part.strip() for part in _PARAGRAPHS.split(text.strip()))
    return Markup().join(_list(part) if part.startswith("- ") else _paragraph(part) for part in parts if part)


def _paragraph(part: str) -> Markup:
    return Markup("<p>{}</p>").format(_inline(part))


def _list(part: str) -> Markup:
    items = (_inline(line.removeprefix("- ")) for line in part.splitlines())
    return Markup("<ul>{}</ul>").format(Markup().join(Markup("<li>{}</li>").format(item) for item in items))


def _inline(text: str) -> Markup:
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def _curl(operation: Mapping[str, Any]) -> str:
    """The operation as a command line."""
    token = "$POSTROAD_API_KEY" if "x-role" in operation else "$POSTROAD_OPERATOR_TOKEN"
    parts = [f'curl -X {operation["method"]} "$POSTROAD_URL{operation["path"]}"', f'-H "Authorization: Bearer {token}"']
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f'-H "Content-Type: {media_type}"')
        if "example" in content:
            body = json.dumps(content["example"], indent=2, ensure_ascii=False).replace("'", "'\\''")
            parts.append(f"-d '{body}'")
        else:
            parts.append("--data-binary @file")
    return " \\\n  ".join(parts)
