"""The modules of models and of the parts of bodies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from graphlib import TopologicalSorter
from typing import Final

from clients.python.generator.prose import docstring
from clients.python.generator.schemas import (
    Schema,
    Types,
    UnforeseenError,
    fields_of,
    literal,
    python_name,
    ref_of,
    values_of,
    within,
)

_TAKEN: Final = frozenset(
    {"Annotated", "Any", "BaseModel", "Field", "Literal", "Mapping", "Model", "TypeAlias", "UUID"}
)

MODELS: Final = '''"""What the API answers and posts, written from docs/openapi.json by `make docs`.

Frozen. Fields that are not known here are passed over, and choices may have other values: a newer API may say more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """What models have in common; each is made ready when it is first used."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


'''
PARAMS: Final = '''"""What stands within the bodies of requests, written from docs/openapi.json by `make docs`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NotRequired, TypedDict
from uuid import UUID

from postroad import models as m

'''


def models_module(types: Types, document: Schema) -> str:
    """Everything that is answered, and the choices."""
    types = replace(types, models="")
    events = _events(document)
    wanted = _closure(types, [*_answers(document), *events.values()])
    if clash := _TAKEN & (wanted | set(types.choices.values())):
        raise UnforeseenError(f"names that the module needs itself: {clash}")
    bases = {name: base for name in wanted if (base := _base(name, wanted, types)) is not None}
    choices = "\n".join(
        f"{name}: TypeAlias = {literal(values)}" for values, name in sorted(types.choices.items(), key=_second)
    )
    classes = [_model(name, bases.get(name), types, events) for name in _ordered(wanted, bases, types)]
    return MODELS + choices + "\n\n\n" + "\n\n".join(classes) + _union(events)


def params_module(types: Types, document: Schema) -> str:
    """The objects within bodies; the fields of bodies themselves are arguments."""
    types = replace(types, params="")
    found: dict[str, Schema] = {}
    for body in _bodies(document, types):
        for _, field in fields_of(body):
            _objects(field, types, found)
    return PARAMS + "\n\n".join(_typed_dict(name, schema, types) for name, schema in sorted(found.items()))


def _second(pair: tuple[object, str]) -> str:
    return pair[1]


def _answers(document: Schema) -> Iterator[str]:
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                for content in response.get("content", {}).values() if status.startswith("2") else ():
                    for schema in (content["schema"], content.get("x-item-schema", {})):
                        if (name := ref_of(schema)) is not None:
                            yield name


def _events(document: Schema) -> Mapping[str, str]:
    """The models of webhooks by their types."""
    found = {}
    for type_, item in document["webhooks"].items():
        found[type_] = str(ref_of(item["post"]["requestBody"]["content"]["application/json"]["schema"]))
    return found


def _bodies(document: Schema, types: Types) -> Iterator[Schema]:
    for path in document["paths"].values():
        for operation in path.values():
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                yield types.components[str(ref_of(content["application/json"]["schema"]))]
            for parameter in operation["parameters"]:
                if "contentSchema" in parameter["schema"]:
                    yield {"properties": {parameter["name"]: parameter["schema"]["contentSchema"]}}


def is_page(schema: Schema) -> bool:
    """Whether an answer is part of a list: the client has a class for all of these."""
    return set(schema.get("properties", {})) == {"items", "next"}


def _referred(schema: Schema) -> Iterator[str]:
    for one in within(schema):
        if (name := ref_of(one)) is not None:
            yield name


def _closure(types: Types, names: list[str]) -> set[str]:
    """The objects that these names lead to; of pages only what they are made of."""
    found: set[str] = set()
    while names:
        name = names.pop()
        component = types.components[name]
        if name in found or "enum" in component:
            continue
        if not is_page(component):
            found.add(name)
        names.extend(one for _, field in fields_of(component) for one in _referred(field))
    return found


def _base(name: str, wanted: set[str], types: Types) -> str | None:
    """The model of which this one has all fields and a name like its: the one with the most."""
    fields = types.components[name]["properties"]
    candidates = [
        other
        for other in wanted
        if other != name
        and (name.startswith(other) or name.endswith(other) or other == f"{name}Summary")
        and types.components[other]["properties"].items() < fields.items()
    ]
    return max(candidates, key=lambda other: (len(types.components[other]["properties"]), other), default=None)


def _ordered(wanted: set[str], bases: Mapping[str, str], types: Types) -> Iterator[str]:
    """Each behind what it needs."""
    needs = {
        name: sorted(
            {one for _, field in fields_of(types.components[name]) for one in _referred(field) if one in wanted}
            | {base for base in (bases.get(name),) if base is not None}
        )
        for name in sorted(wanted)
    }
    return iter(TopologicalSorter(needs).static_order())


def _model(name: str, base: str | None, types: Types, events: Mapping[str, str]) -> str:
    component = types.components[name]
    inherited = types.components[base]["properties"] if base is not None else {}
    lines = [f"class {name}({base or 'Model'}):", docstring(component["description"], indent=4), ""]
    for field, schema in fields_of(component):
        if field not in inherited:
            lines += _field(field, schema, types, closed=name in events.values() and field == "type")
    return "\n".join(lines) + "\n"


def _field(field: str, schema: Schema, types: Types, *, closed: bool) -> Iterator[str]:
    annotation = literal(values_of(schema)) if closed else types.annotation(schema, "answer")
    default = " = None" if "default" in schema and schema["default"] is None else ""
    if "default" in schema and schema["default"] is not None and not closed:
        default = f" = {schema['default']!r}"
    if schema.get("format") == "password":
        default = " = Field(repr=False)"
    yield f"    {python_name(field)}: {annotation}{default}"
    if "description" in schema:
        yield docstring(schema["description"], indent=4)


def _union(events: Mapping[str, str]) -> str:
    lines = [
        "",
        "",
        "WebhookEvent: TypeAlias = Annotated[",
        " | ".join(events.values()),
        ', Field(discriminator="type")]',
    ]
    return "\n".join(lines) + "\n"


def _objects(schema: Schema, types: Types, found: dict[str, Schema]) -> None:
    for one in within(schema):
        name = ref_of(one)
        component = types.components[name] if name is not None else one
        title = name or one.get("title", "")
        if component.get("properties") and title not in found:
            found[title] = component
            for _, field in fields_of(component):
                _objects(field, types, found)


def _typed_dict(name: str, schema: Schema, types: Types) -> str:
    lines = [f"class {name}(TypedDict):", docstring(schema["description"], indent=4), ""]
    required = schema.get("required", ())
    for field, described in fields_of(schema):
        annotation = types.annotation(described, "body")
        lines.append(f"    {field}: {annotation if field in required else f'NotRequired[{annotation}]'}")
        if "description" in described:
            lines.append(docstring(described["description"], indent=4))
    return "\n".join(lines) + "\n"
