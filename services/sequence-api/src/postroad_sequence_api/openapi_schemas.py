"""The schemas of the API's description, from the models."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from pydantic_core.core_schema import DictSchema
from typing_extensions import override

Schema = dict[str, Any]
Refs = Callable[[type[BaseModel], JsonSchemaMode], Schema]

_PLACE: Final = "#/components/schemas/"


class _Schemas(GenerateJsonSchema):
    """JSON schemas without titles that repeat the names of their fields."""

    @override
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    @override
    def dict_schema(self, schema: DictSchema) -> Schema:
        """Of a dictionary whose names must fit a pattern: pydantic would let any value stand under other names."""
        described = super().dict_schema(schema)
        if "patternProperties" in described:
            ((pattern, values),) = described.pop("patternProperties").items()
            described["propertyNames"] = {**described.get("propertyNames", {}), "pattern": pattern}
            described["additionalProperties"] = values
        return described


def schemas_of(models: Iterable[tuple[type[BaseModel], JsonSchemaMode]]) -> tuple[Refs, Schema]:
    """How to refer to each model as it is taken or answered, and the schemas by the keys referred to."""
    schemas, definitions = models_json_schema(
        list(dict.fromkeys(models)), ref_template=_PLACE + "{model}", schema_generator=_Schemas
    )

    def ref(model: type[BaseModel], mode: JsonSchemaMode) -> Schema:
        return dict(schemas[model, mode])

    return ref, dict(sorted(definitions.get("$defs", {}).items()))


def schema_of(ref: Schema, schemas: Schema) -> Schema:
    """The schema that is referred to."""
    found: Schema = schemas[ref["$ref"].removeprefix(_PLACE)]
    return found


def tidied(document: Schema) -> Schema:
    """The document with its schemas by the names of their models, and only those that something refers to."""
    components: Schema = document["components"]["schemas"]
    names = {key: schema.get("title", key) for key, schema in components.items()}
    if len(set(names.values())) < len(names):
        raise ValueError(f"two models of one name: {sorted(names)}")
    text = orjson.dumps(document).decode()
    for key, name in names.items():
        text = text.replace(f'"{_PLACE}{key}"', f'"{_PLACE}{name}"')
    tidy: Schema = orjson.loads(text)
    named = {names[key]: schema for key, schema in tidy["components"]["schemas"].items()}
    used = _referred({**tidy, "components": {**tidy["components"], "schemas": {}}}, named)
    tidy["components"]["schemas"] = {name: named[name] for name in sorted(used)}
    return tidy


def _referred(root: Schema, named: Schema) -> set[str]:
    """The names that something refers to, from the root on."""
    found: set[str] = set()
    left: list[Any] = [root]
    while left:
        match left.pop():
            case {"$ref": str(ref)} if ref.startswith(_PLACE):
                name = ref.removeprefix(_PLACE)
                if name not in found:
                    found.add(name)
                    left.append(named[name])
            case dict() as inner:
                left.extend(inner.values())
            case list() as items:
                left.extend(items)
            case _:
                pass
    return found
