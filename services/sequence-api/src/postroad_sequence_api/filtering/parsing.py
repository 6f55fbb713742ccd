"""Text to tree, and back."""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final, TypeVar, assert_never, cast

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken, v_args

from postroad_sequence_api.filtering.errors import FilterError
from postroad_sequence_api.filtering.tree import (
    MAX_DEPTH,
    MAX_LENGTH,
    MAX_VALUES,
    NOW,
    And,
    Attribute,
    Comparison,
    Enrolled,
    EnrollmentState,
    Fact,
    Field,
    Happening,
    Node,
    Not,
    Operator,
    Or,
    Relative,
    Span,
    Subject,
    Unit,
    Value,
    all_of,
    any_of,
    conditions,
)

Day = TypeVar("Day", bound=date)

_WORDS: Final = {
    "$END": "the end",
    "LPAR": '"("',
    "RPAR": '")"',
    "COMMA": '","',
    "DOT": '"."',
    "COMPARATOR": "=, !=, <, <=, > or >=",
    "NAME": "a field",
    "STRING": 'a text in "double quotes"',
    "NUMBER": "a number",
    "FLAG": "true or false",
    "DATE": "a date such as 2026-12-31",
    "DATETIME": "a time such as 2026-12-31T09:30:00Z",
    "SPAN": "a span such as 30d",
    "FACT": "opened, clicked, replied, suppressed, bounced, complained or unsubscribed",
}
_ORDER: Final = tuple(_WORDS)
_BARE: Final = re.compile(r"[a-z_][a-z0-9_-]*", re.IGNORECASE | re.ASCII)


def parse(text: str) -> Node:
    """The tree of a filter. Raises FilterError, never anything else, for a text that is none."""
    if len(text) > MAX_LENGTH:
        raise FilterError(f"the filter is longer than {MAX_LENGTH:,} characters", MAX_LENGTH)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FilterError("half a character cannot be read", error.start) from None
    try:
        node = cast("Node", _parser().parse(text))
    except UnexpectedCharacters as error:
        position = cast("int", error.pos_in_stream)
        raise FilterError(_unreadable(text[position:]), position, _expected(error.allowed)) from None
    except UnexpectedToken as error:
        position = len(text) if error.token.type == "$END" else error.token.start_pos or 0
        said = "the filter ends" if error.token.type == "$END" else f"{_shown(str(error.token))} stands"
        raise FilterError(said, position, _expected(error.accepts or error.expected)) from None
    if sum(len(c.values) if isinstance(c, Comparison) else 1 for c in conditions(node)) > MAX_VALUES:
        raise FilterError(f"the filter has more than {MAX_VALUES} values", 0)
    return node


def _unreadable(rest: str) -> str:
    if rest.startswith('"'):
        return 'the text is not closed (inside it, \\" and \\\\ stand for " and \\)'
    return f"{_shown(rest[0])} cannot be read"


def _shown(found: str) -> str:
    short = found if len(found) <= 40 else f"{found[:40]}…"
    return short if short.startswith('"') else repr(short)


def _expected(terminals: set[str] | None) -> tuple[str, ...]:
    known = sorted(terminals or (), key=lambda name: _ORDER.index(name) if name in _ORDER else -1)
    return tuple(dict.fromkeys(_WORDS.get(name, name.lstrip("_").lower()) for name in known))


@v_args(inline=True)
class _Builder(Transformer[Token, Any]):
    """Calls one method for each rule of the grammar, from the inside out, as the parser goes."""

    def start(self, node: Node) -> Node:
        return node

    def either(self, *terms: Node) -> Node:
        return _shallow(any_of(*terms))

    def both(self, *terms: Node) -> Node:
        return _shallow(all_of(*terms))

    def negated(self, term: Node) -> Node:
        return _shallow(Not(term))

    def compared(self, subject: Subject, operator: Token, value: Value) -> Node:
        return Comparison(subject, cast("Operator", str(operator)), (value,), at=subject.at)

    def among(self, subject: Subject, values: tuple[Value, ...]) -> Node:
        return Comparison(subject, "in", values, at=subject.at)

    def not_among(self, subject: Subject, values: tuple[Value, ...]) -> Node:
        return Not(self.among(subject, values))

    def contains(self, subject: Subject, text: str) -> Node:
        return Comparison(subject, "contains", (text,), at=subject.at)

    def starts_with(self, subject: Subject, text: str) -> Node:
        return Comparison(subject, "starts with", (text,), at=subject.at)

    def ends_with(self, subject: Subject, text: str) -> Node:
        return Comparison(subject, "ends with", (text,), at=subject.at)

    def exists(self, subject: Subject) -> Node:
        return Comparison(subject, "exists", (), at=subject.at)

    def within(self, subject: Subject, span: Span) -> Node:
        return Comparison(subject, "within", (span,), at=subject.at)

    def fact(self, happening: Token, within: Span | None = None) -> Node:
        return Fact(cast("Happening", happening.lower()), within, at=happening.start_pos or 0)

    def never(self, happening: Token) -> Node:
        return Not(self.fact(happening))

    def enrolled(self, sequence: str | None = None) -> Node:
        return Enrolled(sequence)

    def ever_enrolled(self, sequence: str | None = None) -> Node:
        return Enrolled(sequence, ever=True)

    def field(self, *path: Token) -> Subject:
        at = path[0].start_pos or 0
        names = [_unquoted(part) if part.type == "STRING" else str(part) for part in path]
        match [names[0].lower(), *names[1:]]:
            case ["attributes", name]:
                return Attribute(name, at=at)
            case ["account", attributes, name] if attributes.lower() == "attributes":
                return Attribute(name, of_account=True, at=at)
            case ["enrollment", state] if state.lower() == "state":
                return EnrollmentState(at=at)
            case ["enrollment", sequence, state] if state.lower() == "state":
                return EnrollmentState(sequence, at=at)
            case _:
                return Field(".".join(names).lower(), at=at)

    def values(self, *values: Value) -> tuple[Value, ...]:
        return values

    def string(self, token: Token) -> str:
        return _unquoted(token)

    def number(self, token: Token) -> int | float:
        value = float(token)
        if not math.isfinite(value) or abs(value) > 2**53:
            raise FilterError("the number is too large", token.start_pos or 0)
        return int(value) if value.is_integer() else value

    def flag(self, token: Token) -> bool:
        return token.lower() == "true"

    def moment(self, token: Token) -> datetime:
        return _dated(token, lambda text: datetime.fromisoformat(text.upper()).astimezone(UTC))

    def day(self, token: Token) -> date:
        return _dated(token, date.fromisoformat)

    def span(self, token: Token) -> Span:
        return Span(int(token[:-1]), cast("Unit", token[-1].lower()))

    def now(self) -> Relative:
        return NOW

    def ago(self, span: Span) -> Relative:
        return Relative(span, ahead=False)

    def ahead(self, span: Span) -> Relative:
        return Relative(span, ahead=True)


def _shallow(node: Node) -> Node:
    if node.depth > MAX_DEPTH:
        raise FilterError(f"the filter is nested deeper than {MAX_DEPTH} levels", 0)
    return node


def _unquoted(token: Token) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1])


def _dated(token: Token, read: Callable[[str], Day]) -> Day:
    try:
        return read(str(token))
    except (ValueError, OverflowError):
        raise FilterError(f"{token!s} is no day of the calendar", token.start_pos or 0) from None


@cache
def _parser() -> Lark:
    return Lark(
        files("postroad_sequence_api").joinpath("filtering", "grammar.lark").read_text(),
        parser="lalr",
        transformer=_Builder(),
    )


def text_of(node: Node) -> str:
    """The filter as text; parsing it gives the same tree."""
    match node:
        case Or(terms):
            return " or ".join(text_of(term) for term in terms)
        case And(terms):
            return " and ".join(f"({text_of(term)})" if isinstance(term, Or) else text_of(term) for term in terms)
        case Not(term):
            return f"not ({text_of(term)})" if isinstance(term, And | Or) else f"not {text_of(term)}"
        case Comparison(subject, operator, values):
            return f"{_subject_text(subject)} {_operation_text(operator, values)}"
        case Fact(happening, within):
            return happening if within is None else f"{happening} within {_value_text(within)}"
        case Enrolled(sequence, ever):
            place = "" if sequence is None else f" in {_value_text(sequence)}"
            return f"{'ever ' if ever else ''}enrolled{place}"
        case _:
            assert_never(node)


def _operation_text(operator: Operator, values: tuple[Value, ...]) -> str:
    listed = ", ".join(map(_value_text, values))
    return f"in ({listed})" if operator == "in" else f"{operator} {listed}".rstrip()


def _subject_text(subject: Subject) -> str:
    match subject:
        case Field(name):
            return name
        case Attribute(name, of_account):
            return f"{'account.' if of_account else ''}attributes.{_name_text(name)}"
        case EnrollmentState(sequence):
            return "enrollment.state" if sequence is None else f"enrollment.{_name_text(sequence)}.state"
        case _:
            assert_never(subject)


def _name_text(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value_text(name)


def _value_text(value: Value) -> str:  # noqa: PLR0911 - one line a type
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case Span(amount, unit):
            return f"{amount}{unit}"
        case Relative(span, ahead):
            return "now" if value == NOW else f"{_value_text(span)} {'ahead' if ahead else 'ago'}"
        case date():
            return value.isoformat()
        case _:
            return repr(value)
