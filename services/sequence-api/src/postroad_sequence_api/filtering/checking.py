"""Whether a filter makes sense for a tenant: fields that are there, operators and values of their types."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Final
from uuid import UUID

from postroad_sequence_api.filtering.errors import FilterError
from postroad_sequence_api.filtering.schema import FIELDS, STATES, Definition, Schema, Type
from postroad_sequence_api.filtering.tree import (
    Attribute,
    Comparison,
    Enrolled,
    EnrollmentState,
    Field,
    Node,
    Operator,
    Relative,
    Value,
    conditions,
)

_ORDERED: Final[tuple[Operator, ...]] = ("=", "!=", "<", "<=", ">", ">=", "in", "exists")
_OPERATORS: Final[Mapping[Type, tuple[Operator, ...]]] = {
    Type.TEXT: ("=", "!=", "in", "contains", "starts with", "ends with", "exists"),
    Type.EXACT: ("=", "!=", "in", "exists"),
    Type.ID: ("=", "!=", "in", "exists"),
    Type.CHOICE: ("=", "!=", "in", "exists"),
    Type.NUMBER: _ORDERED,
    Type.BOOLEAN: ("=", "!=", "exists"),
    Type.DATE: (*_ORDERED, "within"),
    Type.DATETIME: (*_ORDERED, "within"),
}
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_DATED: Final = "a date such as 2026-12-31 (without quotes), a time, or 30d ago"
_WANTED: Final = {
    Type.TEXT: 'a text in "double quotes"',
    Type.EXACT: 'a text in "double quotes"',
    Type.ID: 'an id in "double quotes"',
    Type.CHOICE: 'a text in "double quotes"',
    Type.NUMBER: "a number",
    Type.BOOLEAN: "true or false",
    Type.DATE: _DATED,
    Type.DATETIME: _DATED,
}


def check(node: Node, schema: Schema) -> None:
    """Raises FilterError at the first condition that makes no sense."""
    for condition in conditions(node):
        match condition:
            case Comparison():
                _check(condition, schema)
            case Enrolled(str() as sequence):
                known_sequence(sequence, schema, condition.at)
            case _:
                pass


def type_of(comparison: Comparison, schema: Schema) -> Type:
    """How a comparison compares: as its subject's type says; an attribute without a definition as its value does."""
    match comparison.subject:
        case Field(name):
            return FIELDS[name].type
        case EnrollmentState():
            return Type.CHOICE
        case Attribute(name, of_account):
            defined = definition(name, schema, of_account=of_account)
            return defined.type if defined is not None else _type_of_value(comparison)


def definition(name: str, schema: Schema, *, of_account: bool) -> Definition | None:
    """What the tenant says of an attribute."""
    return (schema.account if of_account else schema.contact).get(name)


def known_sequence(name: str, schema: Schema, at: int) -> UUID:
    """The sequence that a filter names."""
    if name not in schema.sequences:
        raise FilterError(f"there is no sequence {name!r} (by name or id) where the condition begins", at)
    return schema.sequences[name]


def _check(comparison: Comparison, schema: Schema) -> None:
    subject, at = comparison.subject, comparison.at
    choices: tuple[str, ...] = ()
    match subject:
        case Field(name):
            if name not in FIELDS:
                raise FilterError(f"there is no field {name} (attributes are written attributes.{name})", at)
            choices = FIELDS[name].choices
        case EnrollmentState(sequence):
            choices = STATES
            if sequence is not None:
                known_sequence(sequence, schema, at)
        case Attribute():
            pass
    type_ = type_of(comparison, schema)
    if comparison.operator not in _OPERATORS[type_]:
        allowed = ", ".join(_OPERATORS[type_])
        raise FilterError(f"{type_} takes {allowed}, not {comparison.operator}, in the condition", at)
    if comparison.operator not in ("exists", "within"):
        for value in comparison.values:
            _check_value(value, type_, choices, at)


def _check_value(value: Value, type_: Type, choices: tuple[str, ...], at: int) -> None:
    if not _fits(value, type_):
        raise FilterError(f"the condition compares with {_WANTED[type_]}", at)
    if isinstance(value, str) and not value:
        raise FilterError("the condition compares with an empty text; say `not ... exists`", at)
    if choices and value not in choices:
        raise FilterError(f"the condition compares with one of {', '.join(choices)}", at)


def _fits(value: Value, type_: Type) -> bool:
    match type_:
        case Type.TEXT | Type.EXACT | Type.CHOICE:
            return isinstance(value, str)
        case Type.ID:
            return isinstance(value, str) and _ID.fullmatch(value) is not None
        case Type.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case Type.BOOLEAN:
            return isinstance(value, bool)
        case Type.DATE | Type.DATETIME:
            return isinstance(value, date | Relative)


def _type_of_value(comparison: Comparison) -> Type:
    if comparison.operator == "within":
        return Type.DATETIME
    for value in comparison.values:
        match value:
            case bool():
                return Type.BOOLEAN
            case int() | float():
                return Type.NUMBER
            case date() | Relative():
                return Type.DATETIME
            case _:
                pass
    return Type.TEXT


def unindexed(node: Node, schema: Schema) -> tuple[str, ...]:
    """The attributes of contacts that a filter compares and that have no index."""
    subjects = (condition.subject for condition in conditions(node) if isinstance(condition, Comparison))
    names = (one.name for one in subjects if isinstance(one, Attribute) and not one.of_account)
    found = {name: schema.contact.get(name) for name in names}
    return tuple(name for name, defined in found.items() if defined is None or defined.index is None)
