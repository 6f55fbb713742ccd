"""A value in the database against the values of a comparison, as SQL; null where there is no value."""

from datetime import date, datetime
from typing import Final, assert_never
from uuid import UUID

from postroad_sequence_api.filtering.fragments import Bound, Sql, joined, sql
from postroad_sequence_api.filtering.moments import before, sortable, stretch
from postroad_sequence_api.filtering.schema import Type
from postroad_sequence_api.filtering.tree import Operator, Relative, Span, Value

_LAST_LETTER: Final = "\U0010ffff"


def compared(  # noqa: PLR0911, PLR0912 - one for each operator and type
    value: Sql, type_: Type, operator: Operator, wanted: tuple[Value, ...], now: datetime, *, as_text: bool = True
) -> Sql:
    """The comparison of a text (folded), an id, a number, a flag (as text) or a moment (as_text, or a timestamptz)."""
    match operator:
        case "in":
            each = (compared(value, type_, "=", (one,), now, as_text=as_text) for one in wanted)
            return sql("(", joined(" OR ", each), ")")
        case "contains":
            return sql("strpos(", value, ", ", _folded(wanted[0]), ") > 0")
        case "starts with":
            return sql("starts_with(", value, ", ", _folded(wanted[0]), ")")
        case "ends with":
            return sql("right(", value, ", length(", _folded(wanted[0]), ")) = ", _folded(wanted[0]))
        case "exists":
            return sql(value, " IS NOT NULL")
        case _:
            pass
    match type_:
        case Type.TEXT:
            return sql(value, " = ", _folded(wanted[0]))
        case Type.EXACT | Type.CHOICE:
            return sql(value, " = ", Bound(wanted[0], "text"))
        case Type.ID:
            return sql(value, " = ", Bound(UUID(str(wanted[0])), "uuid"))
        case Type.BOOLEAN:
            return sql(value, " = ", Bound("true" if wanted[0] else "false", "text"))
        case Type.NUMBER:
            return sql(value, f" {operator} ", Bound(float(wanted[0]), "float8"))  # type: ignore[arg-type]  # checked
        case Type.DATE | Type.DATETIME:
            return _moment_compared(value, operator, wanted[0], now, as_text=as_text)
        case _:
            assert_never(type_)


def _moment_compared(value: Sql, operator: Operator, wanted: Value, now: datetime, *, as_text: bool) -> Sql:
    """A moment, as timestamptz or as the sortable text of attributes. Dates compare whole days, in UTC."""

    def at(moment: datetime) -> Bound:
        return Bound(sortable(moment), "text") if as_text else Bound(moment, "timestamptz")

    if isinstance(wanted, Span):
        return sql("(", value, " >= ", at(before(now, wanted)), " AND ", value, " <= ", at(now), ")")
    assert isinstance(wanted, date | Relative)  # noqa: S101 - checked before
    first, past = stretch(wanted, now)
    match operator:
        case "<" | ">=":
            return sql(value, f" {operator} ", at(first))
        case "<=":
            return sql(value, " < ", at(past))
        case ">":
            return sql(value, " >= ", at(past))
        case _:
            return sql("(", value, " >= ", at(first), " AND ", value, " < ", at(past), ")")


def prefix(column: str, wanted: Value, *, cut: bool = False, plain: bool = False) -> Sql:
    """Texts that begin so, as a range of an index in C collation, or (plain) of one by text_pattern_ops.

    cut: the index holds the first 200 characters only.
    """
    text, (least, below) = _indexed(wanted, cut=cut, plain=plain), ("~>=~", "~<~") if plain else (">=", "<")
    return sql(f"{column} {least} ", text, f" AND {column} {below} (", text, " || ", Bound(_LAST_LETTER, "text"), ")")


def equal(column: str, wanted: Value, *, cut: bool = False, plain: bool = False) -> Sql:
    """Texts that are the same, by an index as in `prefix`; cut also finds those that begin alike."""
    return sql(f"{column} = ", _indexed(wanted, cut=cut, plain=plain))


def _indexed(wanted: Value, *, cut: bool, plain: bool) -> Sql:
    # An index serves only comparisons in its own collation.
    text = sql(_folded(wanted), ' COLLATE "default"') if plain else _folded(wanted)
    return sql("left(", text, ", 200)") if cut else sql("(", text, ")")


def _folded(text: Value) -> Sql:
    return sql("postroad.folded(", Bound(text, "text"), ")")
