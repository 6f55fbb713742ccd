"""An example for a schema: what its fields give as theirs, put together."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from postroad_sequence_api.models.fields import EXAMPLE_ID

Schema = Mapping[str, Any]

_DEEPEST: Final = 8
_TEXT: Final = "text"
_OF_FORMAT: Final[Mapping[str, str]] = {
    "uuid": EXAMPLE_ID,
    "date-time": "2026-01-15T09:30:00Z",
    "date": "2026-01-15",
    "email": "ada@example.com",
    "uri": "https://crm.example.com/hooks/postroad",
    "password": "correct horse battery staple",
}


def example_of(schema: Schema, components: Schema, depth: int = 0) -> Any:
    """A value that fits a schema, made of examples, defaults and first choices."""
    if "$ref" in schema:
        return example_of(components[schema["$ref"].rpartition("/")[2]], components, depth + 1)
    for given in (*schema.get("examples", ()), *schema.get("enum", ()), schema.get("const"), schema.get("default")):
        if given is not None:
            return given
    for choices in ("anyOf", "oneOf"):
        if choices in schema:
            return example_of(schema[choices][0], components, depth + 1)
    return _of_type(schema, components, depth)


def _of_type(schema: Schema, components: Schema, depth: int) -> Any:
    match schema.get("type"):
        case "object":
            return _object(schema, components, depth)
        case "array":
            items = schema.get("items", {})
            return [example_of(items, components, depth + 1)] if depth < _DEEPEST else []
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
        case "string":
            return _OF_FORMAT.get(schema.get("format", ""), _TEXT)
        case _:
            return None


def _object(schema: Schema, components: Schema, depth: int) -> dict[str, Any]:
    """The fields that must be there, and those that have an example or more to say than null."""
    required = schema.get("required", ())
    return {
        name: _of_field(name, field, components, depth + 1)
        for name, field in schema.get("properties", {}).items()
        if name in required or field.get("examples")
    }


def _of_field(name: str, field: Schema, components: Schema, depth: int) -> Any:
    """What is answered looks like what is sent: a plain text has the example of a field of its name elsewhere."""
    found = example_of(field, components, depth)
    return found if found != _TEXT else next(_examples_by_name(name, components), found)


def _examples_by_name(name: str, components: Schema) -> Iterator[Any]:
    for schema in components.values():
        field = schema.get("properties", {}).get(name, {})
        for described in (field, *field.get("anyOf", ())):
            if described.get("type") == "string":
                yield from described.get("examples", ())
