"""How the schemas of the document are written as Python types."""

from __future__ import annotations

import keyword
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

Schema: TypeAlias = Mapping[str, Any]
Values: TypeAlias = tuple[Any, ...]
Mode: TypeAlias = Literal["answer", "body"]
"""An answer may say what a newer API says; a body says what is known here."""

_REF: Final = "#/components/schemas/"
_PLAIN: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_FORMATS: Final = {"uuid": "UUID", "date-time": "datetime", "date": "date"}
_FEW: Final = 4  # choices of more values have a name, as have those that are used twice
_BODY: Final = re.compile(r"(New|Change|Upsert|BatchItem|Spec)$")


class UnforeseenError(ValueError):
    """The document says something that the generator has no words for."""


@dataclass(frozen=True)
class Types:
    """The annotations of schemas. models and params: how the modules of those names are named in the file at hand."""

    components: Mapping[str, Schema]
    choices: Mapping[Values, str]
    models: str
    params: str

    def annotation(self, schema: Schema, mode: Mode) -> str:
        """A schema as a type."""
        return " | ".join(dict.fromkeys(self._alternatives(schema, mode)))

    def _alternatives(self, schema: Schema, mode: Mode) -> list[str]:
        if (name := ref_of(schema)) is not None:
            component = self.components[name]
            return self._choice(component, mode) if "enum" in component else [self._name(name, mode)]
        if "anyOf" in schema:
            return [one for option in schema["anyOf"] for one in self._alternatives(option, mode)]
        if "enum" in schema or "const" in schema:
            return self._choice(schema, mode)
        return self._of_type(schema, mode)

    def _name(self, name: str, mode: Mode) -> str:
        return f"{self.models if mode == 'answer' else self.params}{name}"

    def _choice(self, schema: Schema, mode: Mode) -> list[str]:
        values = values_of(schema)
        text = f"{self.models}{self.choices[values]}" if values in self.choices else literal(values)
        return [text, "str"] if mode == "answer" else [text]

    def _of_type(self, schema: Schema, mode: Mode) -> list[str]:
        match schema.get("type"):
            case "string":
                found = _FORMATS.get(schema.get("format", ""), "str")
                return ["UUID", "str"] if found == "UUID" and mode == "body" else [found]
            case "array":
                item = self.annotation(schema["items"], mode)
                return [f"tuple[{item}, ...]" if mode == "answer" else f"Iterable[{item}]"]
            case "object" if schema.get("properties"):
                return [self._name(schema["title"], mode)]
            case "object":
                values = schema.get("additionalProperties", True)
                return [f"Mapping[str, {'Any' if values is True else self.annotation(values, mode)}]"]
            case None:
                return ["Any"]
            case plain if plain in _PLAIN:
                return [_PLAIN[plain]]
            case other:
                raise UnforeseenError(f"a type {other!r}")


def ref_of(schema: Schema) -> str | None:
    """The name of the component that a schema refers to."""
    return str(schema["$ref"]).removeprefix(_REF) if "$ref" in schema else None


def values_of(schema: Schema) -> Values:
    """What a choice may be."""
    return (schema["const"],) if "const" in schema else tuple(schema["enum"])


def literal(values: Values) -> str:
    """A choice written out."""
    return f"Literal[{', '.join(repr(value) for value in values)}]"


def fields_of(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """The fields of an object; those that must be there come first, in the order in which they were declared."""
    properties = schema.get("properties", {})
    order = [name for name in schema.get("required", ()) if name in properties]
    for name in [*order, *(name for name in properties if name not in order)]:
        yield name, properties[name]


def within(schema: Schema) -> Iterator[Schema]:
    """A schema and those that stand in it; not those that it refers to, nor the fields of an object."""
    yield schema
    for below in schema.get("anyOf", ()):
        yield from within(below)
    for name in ("items", "additionalProperties", "contentSchema"):
        if isinstance(schema.get(name), Mapping):
            yield from within(schema[name])


def camel(name: str) -> str:
    """bounce_type and webhook-sources as BounceType and WebhookSources."""
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[_-]", name))


def python_name(name: str) -> str:
    """A name that Python lets stand."""
    if not name.isidentifier():
        raise UnforeseenError(f"{name!r} is no name in Python")
    return f"{name}_" if keyword.iskeyword(name) else name


def named_choices(document: Schema) -> Mapping[Values, str]:
    """Names for choices, by the thing and the field that have them: the shortest there is."""
    components = document["components"]["schemas"]
    found: dict[Values, list[tuple[bool, int, str]]] = defaultdict(list)
    for owner, field, schema in _all_fields(document):
        stutters = owner == camel(field)
        for choice in within(schema):
            if "enum" in choice:
                name = owner + camel(field.removesuffix("s") if _is_plural(schema) else field)
                found[values_of(choice)].append((stutters, len(name), name))
    named = {values: min(names)[2] for values, names in found.items() if len(names) > 1 or len(values) > _FEW} | {
        values_of(schema): name for name, schema in components.items() if "enum" in schema
    }
    if len(set(named.values())) < len(named):
        raise UnforeseenError(f"two choices of one name: {sorted(named.values())}")
    return named


def _is_plural(schema: Schema) -> bool:
    return any("items" in one or "additionalProperties" in one for one in within(schema))


def _all_fields(document: Schema) -> Iterator[tuple[str, str, Schema]]:
    """(thing, field, schema) of every field and every parameter."""
    for name, component in document["components"]["schemas"].items():
        yield from _fields_within(name, component)
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation["parameters"]:
                yield camel(operation["tags"][0]).removesuffix("s"), parameter["name"], parameter["schema"]


def _fields_within(name: str, component: Schema) -> Iterator[tuple[str, str, Schema]]:
    for field, schema in component.get("properties", {}).items():
        yield _BODY.sub("", name), field, schema
        for below in within(schema):
            if below.get("properties"):
                yield from _fields_within(below["title"], below)
