"""Cells: what one may say as a field of a contact, and as an attribute; what may not raises ValueError with words."""

from collections.abc import Callable, Mapping
from typing import Final

from postroad_sequence_api.formulas import as_it_was
from postroad_sequence_api.models.contacts import AttributeValue
from postroad_sequence_api.models.fields import known_zone, normal_address, one_line, without_nul

Field = Callable[[str], str]
Attribute = Callable[[str], AttributeValue]

_AROUND: Final = " \t\r\n\u00a0\u200b\ufeff"  # what spreadsheets and web pages leave around a value


def trimmed(cell: str) -> str:
    """A cell without what is only around it, and without the apostrophe that keeps it from being a formula."""
    return as_it_was(cell.strip(_AROUND))


def _at_most(limit: int, check: Callable[[str], str]) -> Callable[[str], str]:
    def checked(value: str) -> str:
        if len(value) > limit:
            raise ValueError(f"must have at most {limit} characters")
        return check(value)

    return checked


def _known_kind(value: str) -> str:
    if value.lower() not in {"lead", "party"}:
        raise ValueError("must be lead or party")
    return value.lower()


_name = _at_most(200, one_line)
FIELDS: Final[Mapping[str, Field]] = {
    "email": _at_most(254, normal_address),
    "external_id": _name,
    "first_name": _name,
    "last_name": _name,
    "company": _name,
    "timezone": known_zone,
    "kind": _known_kind,
    "account_external_id": _name,
}
CAN_DO_WITHOUT: Final = frozenset({"timezone", "kind"})
"""A contact is kept without these when they are wrong, and the report warns."""

_text = _at_most(2000, without_nul)
attribute_name = _at_most(100, one_line)


def attribute(name: str, typed: Mapping[str, Attribute]) -> Attribute:
    """How a cell becomes the value of the attribute of this name: as its type reads it, as text without one."""
    return typed.get(name, _text)
