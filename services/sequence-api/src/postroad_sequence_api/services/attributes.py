"""Custom attributes that have a type: their definitions, the check of values, the filling of indexes."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal
from uuid import UUID

from asyncpg import Pool

from postroad_common.db import queries, transaction
from postroad_common.ids import new_id
from postroad_sequence_api.attributes import AttributeType, MisfitError, Value, cell_reader, fitted
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import ConflictError, InvalidFieldError, NotFoundError
from postroad_sequence_api.models.attributes import Attribute, AttributeChange, AttributeNew, AttributePick
from postroad_sequence_api.models.base import Page, page_of

_SQL: Final = queries("postroad_sequence_api", "attributes")
MOST_DEFINED: Final = 200
"""Attributes that a tenant may define for contacts, and for accounts."""
MOST_INDEXED: Final = 20
_CHUNK: Final = 5_000
_TENANTS: Final = 10
_BEFORE_ALL: Final = UUID(int=0)

Entity = Literal["contact", "account"]
Types = Mapping[str, AttributeType]


async def create(work: Work, new: AttributeNew) -> Attribute:
    """Define an attribute. Values that are there already stay; they are compared where they fit the type."""
    await _await_writers(work, wanted=new.indexed)
    counts = await work.one(_SQL.count_attributes, new.entity)
    if counts["defined"] >= MOST_DEFINED:
        raise ConflictError("too_many", f"At most {MOST_DEFINED} attributes can be defined.", limit=MOST_DEFINED)
    _check_index(new.entity, counts["indexed"], wanted=new.indexed)
    row = await work.one(_SQL.insert_attribute, new_id(), new.entity, new.name, new.type, new.description, new.indexed)
    return Attribute.of(row)


async def get(work: Work, attribute_id: UUID) -> Attribute:
    """An attribute."""
    row = await work.find(_SQL.attribute, attribute_id)
    if row is None:
        raise NotFoundError("attribute")
    return Attribute.of(row)


async def listed(work: Work, pick: AttributePick) -> Page[Attribute]:
    """Attributes, oldest first."""
    rows = await work.all(_SQL.list_attributes, pick.after, pick.entity, pick.limit + 1)
    return page_of((Attribute.of(row) for row in rows), pick.limit)


async def change(work: Work, attribute_id: UUID, wanted: AttributeChange) -> Attribute:
    """Change what is named. An archived attribute is as if it was not defined, and has no index."""
    # Off as well as on: a writer that has seen the index would leave a value behind that nobody keeps up to date.
    await _await_writers(work, wanted="indexed" in wanted.model_fields_set or wanted.archived)
    standing = await work.find(_SQL.lock_attribute, attribute_id)
    if standing is None:
        raise NotFoundError("attribute")
    work.match(standing["revision"])
    named = wanted.model_fields_set
    archived = wanted.archived if "archived" in named else standing["archived_at"] is not None
    indexed = (wanted.indexed if "indexed" in named else standing["indexed"]) and not archived
    indexed_to = standing["indexed_to"] if indexed else None
    if indexed and not standing["indexed"]:
        counts = await work.one(_SQL.count_attributes, standing["entity"])
        _check_index(standing["entity"], counts["indexed"], wanted=True)
        await work.do(_SQL.forget_values, attribute_id)  # of before: nobody kept them up to date
        indexed_to = _BEFORE_ALL
    if standing["indexed"] and not indexed:
        await work.do(_SQL.forget_values, attribute_id)
    description = wanted.description if "description" in named else standing["description"]
    row = await work.one(_SQL.update_attribute, attribute_id, description, indexed, indexed_to, archived)
    return Attribute.of(row)


async def types(work: Work, entity: Entity) -> Types:
    """The types of the attributes in use, by name."""
    rows = await work.all(_SQL.typed_attributes, entity)
    return {row["name"]: AttributeType(row["type"]) for row in rows}


async def cell_readers(work: Work) -> dict[str, Callable[[str], Value]]:
    """How a cell of a file becomes the value of each contact's attribute that has a type."""
    return {name: cell_reader(type_) for name, type_ in (await types(work, "contact")).items()}


async def checked(work: Work, entity: Entity, values: Mapping[str, Any]) -> dict[str, Value]:
    """Values as they are stored; raises InvalidFieldError for the first that does not fit its attribute's type."""
    try:
        return fitted(await types(work, entity), values) if values else {}
    except MisfitError as error:
        raise InvalidFieldError(f"attributes.{error.name}", error.reason) from error


async def fill_indexes(pool: Pool) -> bool:
    """Go on with the indexes that were switched on: one chunk for each of a few tenants; whether there is more."""
    rows = await pool.fetch(_SQL.tenants_with_indexes_to_fill, _TENANTS)
    more = False
    for (tenant_id,) in rows:
        async with transaction(pool, tenant_id) as conn:
            more = await _fill_chunk(Work(conn, tenant_id)) or more
    return more


async def _fill_chunk(work: Work) -> bool:
    row = await work.find(_SQL.index_to_fill)
    if row is None:
        return False
    await work.value(_SQL.fill_index, row["attribute_id"], row["name"], row["type"], row["indexed_to"], _CHUNK)
    return True


async def _await_writers(work: Work, *, wanted: bool) -> None:
    if wanted:
        await work.do(_SQL.await_writers)


def _check_index(entity: str, indexed: int, *, wanted: bool) -> None:
    if not wanted:
        return
    if entity != "contact":
        raise InvalidFieldError("indexed", "is for attributes of contacts; accounts are few enough without")
    if indexed >= MOST_INDEXED:
        raise ConflictError(
            "too_many", f"At most {MOST_INDEXED} attributes can be indexed.", field="indexed", limit=MOST_INDEXED
        )
