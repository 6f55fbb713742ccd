"""A filter as a tree of values. Where a part stood in the text (at) is for messages, and no part of the value."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, Literal, TypeAlias

MAX_LENGTH: Final = 4000
"""Characters of a filter."""
MAX_DEPTH: Final = 20
"""How deep conditions may be nested."""
MAX_VALUES: Final = 500
"""Values in a filter, those of lists included."""

Unit: TypeAlias = Literal["m", "h", "d", "w"]
Operator: TypeAlias = Literal[
    "=", "!=", "<", "<=", ">", ">=", "in", "contains", "starts with", "ends with", "exists", "within"
]
Happening: TypeAlias = Literal["opened", "clicked", "replied", "suppressed", "bounced", "complained", "unsubscribed"]


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time: minutes, hours, days or weeks."""

    amount: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class Relative:
    """A moment by its distance from now. Nothing ahead is now."""

    span: Span
    ahead: bool


NOW: Final = Relative(Span(0, "m"), ahead=True)
Value: TypeAlias = str | bool | int | float | date | datetime | Relative | Span


@dataclass(frozen=True, slots=True)
class Field:
    """A fixed field, by its name: email, account.domain, last_opened_at."""

    name: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A custom attribute of the contact, or of its account."""

    name: str
    of_account: bool = False
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class EnrollmentState:
    """The state of an enrollment: of any, or of those in one sequence (its name or id)."""

    sequence: str | None = None
    at: int = field(default=0, compare=False)


Subject: TypeAlias = Field | Attribute | EnrollmentState


@dataclass(frozen=True, slots=True)
class Comparison:
    """A subject against values: one, several with `in`, none with `exists`, a span with `within`."""

    subject: Subject
    operator: Operator
    values: tuple[Value, ...]
    at: int = field(default=0, compare=False)
    depth: int = field(default=1, init=False, compare=False)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened with the contact or its address: ever, or within a span before now."""

    happening: Happening
    within: Span | None = None
    at: int = field(default=0, compare=False)
    depth: int = field(default=1, init=False, compare=False)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Has an enrollment that has not ended, or (ever) any: in one sequence (its name or id), or anywhere."""

    sequence: str | None = None
    ever: bool = False
    at: int = field(default=0, compare=False)
    depth: int = field(default=1, init=False, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a term."""

    term: "Node"
    depth: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", self.term.depth + 1)


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more terms, none of which is an And itself."""

    terms: tuple["Node", ...]
    depth: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", max(term.depth for term in self.terms) + 1)


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more terms, none of which is an Or itself."""

    terms: tuple["Node", ...]
    depth: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", max(term.depth for term in self.terms) + 1)


Condition: TypeAlias = Comparison | Fact | Enrolled
Node: TypeAlias = Condition | Not | And | Or


def all_of(*terms: Node) -> Node:
    """The conjunction of terms, flat."""
    flat = tuple(part for term in terms for part in (term.terms if isinstance(term, And) else (term,)))
    return flat[0] if len(flat) == 1 else And(flat)


def any_of(*terms: Node) -> Node:
    """The disjunction of terms, flat."""
    flat = tuple(part for term in terms for part in (term.terms if isinstance(term, Or) else (term,)))
    return flat[0] if len(flat) == 1 else Or(flat)


def conditions(node: Node) -> tuple[Condition, ...]:
    """The conditions of a tree, from left to right."""
    match node:
        case And(terms) | Or(terms):
            return tuple(found for term in terms for found in conditions(term))
        case Not(term):
            return conditions(term)
        case _:
            return (node,)
