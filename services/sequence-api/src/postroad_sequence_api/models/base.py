"""The bases of all models: what is asked is strict and closed, what is answered is frozen.

Each builds its validator when it is first used: a process has no need of all of them to begin.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Generic, Protocol, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import override


class Row(Protocol):
    """A row by column name: a record of the database, or a mapping."""

    def keys(self) -> Iterable[str]:
        """The columns."""
        ...

    def __getitem__(self, column: str, /) -> Any:
        """The value of a column."""
        ...


class Body(BaseModel):
    """A request body: no field that is not described, no value of another type."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        defer_build=True,
    )


def _without_defaults(schema: dict[str, Any]) -> None:
    for described in schema.get("properties", {}).values():
        described.pop("default", None)


class Change(Body):
    """A request body that names what is to be changed: a field that is left out stays, whatever its default here."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)


def _of_one(schema: dict[str, Any]) -> None:
    _without_defaults(schema)
    schema.update(minProperties=1, maxProperties=1)


class Choice(Body):
    """A request body that has exactly one of its fields; model_fields_set says which."""

    model_config = ConfigDict(json_schema_extra=_of_one)

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"must have exactly one of {', '.join(type(self).model_fields)}")
        return self


class Query(BaseModel):
    """A query string: closed like a body, but everything arrives as text."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True, defer_build=True
    )


class View(BaseModel):
    """What is answered."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        json_schema_serialization_defaults_required=True,
        use_attribute_docstrings=True,
        defer_build=True,
    )

    @classmethod
    def of(cls, record: Row, /, **more: object) -> Self:
        """From a database row whose columns bear the names of the fields."""
        return cls.model_validate({**dict(record), **more})


Item = TypeVar("Item", bound=View)


class Page(View, Generic[Item]):
    """Part of a list."""

    # Its descriptions are no docstrings: for each kind of page they would be looked for in all source files again.
    model_config = ConfigDict(use_attribute_docstrings=False)

    items: tuple[Item, ...]
    next: str | None = Field(description="What to ask for as `after`; null: that was all.")

    @classmethod
    @override
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """ContactPage, as the API's description calls a page of contacts."""
        return f"{params[0].__name__}Page"


Limit = Annotated[int, Field(ge=1, le=200, description="How many at most.")]


class Pick(Query):
    """Which part of a list: the items after a cursor, at most so many."""

    after: UUID | None = None
    """The `next` of the page before."""
    limit: Limit = 50


class VersionPick(Query):
    """Which part of a list of versions, newest first."""

    after: Annotated[int, Field(ge=1, le=999_999_999)] | None = None
    """The `next` of the page before."""
    limit: Limit = 50


def page_of(items: Iterable[Item], limit: int, cursor: str = "id") -> Page[Item]:
    """A page from limit + 1 items: the one too many says that there is more."""
    found: Sequence[Item] = tuple(items)
    shown = tuple(found[:limit])
    more = len(found) > limit
    return Page(items=shown, next=str(getattr(shown[-1], cursor)) if more else None)
