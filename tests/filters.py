"""Filters for tests: a tenant's schema, filters of every kind over it, and a plain reading of what they mean.

The reading is the oracle of the SQL: it evaluates a tree on a person as docs/filters.md says, and shares no code with
what makes the SQL.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from postroad_sequence_api.filtering import tree as t
from postroad_sequence_api.filtering.schema import Definition, Schema, Type

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
WELCOME, RENEWAL = UUID(int=1), UUID(int=2)
TYPES = {
    "plan": Type.TEXT,
    "seats": Type.NUMBER,
    "trial": Type.BOOLEAN,
    "renewal": Type.DATE,
    "seen": Type.DATETIME,
    "Billing city": Type.TEXT,
}
EXAMPLE_SCHEMA = Schema(
    contact={name: Definition(type_, UUID(int=100 + n)) for n, (name, type_) in enumerate(TYPES.items())},
    account={"tier": Definition(Type.TEXT), "employees": Definition(Type.NUMBER)},
    sequences={"Welcome": WELCOME, "Renewal 2026": RENEWAL},
)
WORDS = [
    "pro",
    "Pro",
    "free",
    "Ada",
    "LOVELACE",
    "Éva",
    "éva",
    "o'Hara",
    "100%",
    "a_b",
    "back\\slash",
    '"quoted"',
    "Acme",
]
HAPPENINGS = ["opened", "clicked", "replied", "suppressed", "bounced", "complained", "unsubscribed"]
STATES = ["active", "paused", "completed", "replied", "bounced", "unenrolled", "failed"]
DAYS = [date(2026, 11, 22) - timedelta(days=n) for n in (-40, -1, 0, 1, 29, 30, 31, 400)]

texts = st.sampled_from([*WORDS, "ada@example.com", "example.com", "nobody", "lead"])
numbers = st.sampled_from([-1, 0, 1, 2, 2.5, 3, 10, 1e15])
spans = st.builds(t.Span, st.sampled_from([0, 1, 29, 30, 31, 500]), st.sampled_from(["m", "h", "d", "w"]))
relatives = st.one_of(st.just(t.NOW), st.builds(t.Relative, spans.filter(lambda s: s.amount > 0), st.booleans()))
moments = st.one_of(
    st.sampled_from(DAYS),
    relatives,
    st.sampled_from(DAYS).map(lambda d: datetime(d.year, d.month, d.day, 9, 30, tzinfo=UTC)),
)
COMPARED = ("=", "!=", "<", "<=", ">", ">=")


def comparisons(subject: t.Subject, type_: Type, choices: list[str] | None = None) -> st.SearchStrategy[t.Node]:
    """Comparisons of every operator that a subject of this type takes."""

    def one(operator: str, *values: st.SearchStrategy[Any]) -> st.SearchStrategy[t.Node]:
        return st.builds(lambda *v: t.Comparison(subject, operator, v), *values)  # type: ignore[arg-type]

    def any_of(operators: tuple[str, ...], values: st.SearchStrategy[Any]) -> st.SearchStrategy[t.Node]:
        some = st.lists(values, min_size=1, max_size=3).map(tuple)
        listed = st.builds(lambda v: t.Comparison(subject, "in", v), some)
        return st.one_of(*(one(operator, values) for operator in operators), listed)

    exists = st.just(t.Comparison(subject, "exists", ()))
    match type_:
        case Type.TEXT:
            return st.one_of(any_of(("=", "!=", "contains", "starts with", "ends with"), texts), exists)
        case Type.CHOICE | Type.EXACT:
            return st.one_of(any_of(("=", "!="), st.sampled_from(choices or WORDS)), exists)
        case Type.ID:
            return st.one_of(any_of(("=", "!="), st.sampled_from([str(UUID(int=n)) for n in (1, 1001, 1002)])), exists)
        case Type.NUMBER:
            return st.one_of(any_of(COMPARED, numbers), exists)
        case Type.BOOLEAN:
            return st.one_of(one("=", st.booleans()), one("!=", st.booleans()), exists)
        case Type.DATE | Type.DATETIME:
            return st.one_of(any_of(COMPARED, moments), exists, one("within", spans))


FIELD_TYPES: dict[str, tuple[Type, list[str] | None]] = {
    "id": (Type.ID, None), "email": (Type.TEXT, None), "domain": (Type.TEXT, None), "external_id": (Type.EXACT, None),
    "kind": (Type.CHOICE, ["lead", "party"]), "first_name": (Type.TEXT, None), "last_name": (Type.TEXT, None),
    "company": (Type.TEXT, None), "timezone": (Type.TEXT, None), "created_at": (Type.DATETIME, None),
    "updated_at": (Type.DATETIME, None), "account": (Type.TEXT, None), "account.id": (Type.ID, None),
    "account.domain": (Type.TEXT, None), "account.external_id": (Type.EXACT, None),
    "last_opened_at": (Type.DATETIME, None), "last_clicked_at": (Type.DATETIME, None),
    "last_replied_at": (Type.DATETIME, None), "opens": (Type.NUMBER, None), "clicks": (Type.NUMBER, None),
    "replies": (Type.NUMBER, None),
}  # fmt: skip


def conditions() -> st.SearchStrategy[t.Node]:
    """A condition of any kind."""
    named = st.sampled_from([None, "Welcome", "Renewal 2026"])
    fields = [comparisons(t.Field(name), *of) for name, of in FIELD_TYPES.items()]
    typed = [comparisons(t.Attribute(name), type_) for name, type_ in TYPES.items()]
    loose = [
        comparisons(t.Attribute("loose"), type_) for type_ in (Type.TEXT, Type.NUMBER, Type.BOOLEAN, Type.DATETIME)
    ]
    accounts = [
        comparisons(t.Attribute("tier", of_account=True), Type.TEXT),
        comparisons(t.Attribute("employees", of_account=True), Type.NUMBER),
    ]
    states = [comparisons(t.EnrollmentState(name), Type.CHOICE, STATES) for name in (None, "Welcome")]
    return st.one_of(
        st.one_of(*fields),
        st.one_of(*typed, *loose),
        st.one_of(*accounts, *states),
        st.builds(t.Fact, st.sampled_from(HAPPENINGS), st.one_of(st.none(), spans)),
        st.builds(t.Enrolled, named, st.booleans()),
    )


def nodes() -> st.SearchStrategy[t.Node]:
    """Filters of a few levels."""
    return st.recursive(
        conditions(),
        lambda inner: st.one_of(
            inner.map(t.Not),
            st.lists(inner, min_size=2, max_size=3).map(lambda terms: t.all_of(*terms)),
            st.lists(inner, min_size=2, max_size=3).map(lambda terms: t.any_of(*terms)),
        ),
        max_leaves=5,
    )


@dataclass(frozen=True)
class Company:
    """An account."""

    id: UUID
    name: str
    domain: str | None = None
    external_id: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Person:
    """A contact with all that filters can ask of it."""

    id: UUID
    email: str
    kind: str = "lead"
    external_id: str | None = None
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    timezone: str | None = None
    created_at: datetime = NOW
    updated_at: datetime = NOW
    attributes: dict[str, Any] = field(default_factory=dict)
    account: Company | None = None
    last: dict[str, datetime] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    barred: dict[str, datetime] = field(default_factory=dict)
    enrollments: tuple[tuple[UUID, str], ...] = ()


def means(node: t.Node, person: Person) -> bool:  # noqa: PLR0911 - one for each kind of node
    """Whether a filter means a person."""
    match node:
        case t.And(terms):
            return all(means(term, person) for term in terms)
        case t.Or(terms):
            return any(means(term, person) for term in terms)
        case t.Not(term):
            return not means(term, person)
        case t.Fact("suppressed", within):
            return any(_recent(at, within) for at in person.barred.values())
        case t.Fact("opened" | "clicked" | "replied" as what, within):
            return what in person.last and _recent(person.last[what], within)
        case t.Fact(what, within):
            return what in person.barred and _recent(person.barred[what], within)
        case t.Enrolled(sequence, ever):
            return any(
                (ever or state in ("active", "paused")) and _of(sequence, in_) for in_, state in person.enrollments
            )
        case t.Comparison(t.EnrollmentState(sequence), operator, values):
            states = [state for in_, state in person.enrollments if _of(sequence, in_)]
            if operator == "!=":
                return not any(state in values for state in states)
            return bool(states) if operator == "exists" else any(state in values for state in states)
        case t.Comparison(subject, operator, values):
            value, type_ = _value(subject, person, values, operator)
            if operator == "!=":
                return not (value is not None and _equal(value, values[0], type_))
            return value is not None and _holds(value, operator, values, type_)
    raise AssertionError(node)


def _recent(at: datetime, within: t.Span | None) -> bool:
    return within is None or NOW - _length(within) <= at <= NOW


def _of(sequence: str | None, in_: UUID) -> bool:
    return sequence is None or EXAMPLE_SCHEMA.sequences[sequence] == in_


def _length(span: t.Span) -> timedelta:
    return {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}[
        span.unit
    ] * span.amount


def _value(  # noqa: PLR0911 - one for each kind of subject
    subject: t.Subject, person: Person, values: tuple[Any, ...], operator: str
) -> tuple[Any, Type]:
    """The value that is compared, None without one, and how."""
    match subject:
        case t.Attribute(name, of_account):
            held = (person.account.attributes if person.account else {}) if of_account else person.attributes
            known = {"tier": Type.TEXT, "employees": Type.NUMBER} if of_account else TYPES
            value = held.get(name)
            if name not in known and operator == "exists":
                return value, Type.TEXT
            type_ = known.get(name) or _type_of(values[0])
            return (_typed(value, type_), type_)
        case t.Field("opens" | "clicks" | "replies" as name):
            count = person.counts.get(name, 0)
            return (count or None if operator == "exists" else count), Type.NUMBER
        case t.Field("last_opened_at" | "last_clicked_at" | "last_replied_at" as name):
            return person.last.get(name[5:-3]), Type.DATETIME
        case t.Field("domain"):
            return person.email.partition("@")[2], Type.TEXT
        case t.Field("account"):
            return person.account.name if person.account else None, Type.TEXT
        case t.Field(name) if name.startswith("account."):
            found = getattr(person.account, name.removeprefix("account.")) if person.account else None
            return (str(found) if found is not None else None), FIELD_TYPES[name][0]
        case t.Field(name):
            found = getattr(person, name)
            return (str(found) if name == "id" else (None if found == "" else found)), FIELD_TYPES[name][0]
        case t.EnrollmentState():
            raise AssertionError(subject)


def _typed(value: Any, type_: Type) -> Any:
    """A stored value if it is of the type."""
    match type_:
        case Type.TEXT:
            return value if isinstance(value, str) else None
        case Type.NUMBER:
            return value if isinstance(value, int | float) and not isinstance(value, bool) else None
        case Type.BOOLEAN:
            return value if isinstance(value, bool) else None
        case _:
            if not isinstance(value, str) or len(value) not in (10, 24) or not value[:4].isdigit():
                return None
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _type_of(value: Any) -> Type:
    match value:
        case bool():
            return Type.BOOLEAN
        case int() | float():
            return Type.NUMBER
        case str():
            return Type.TEXT
        case _:
            return Type.DATETIME


def _equal(value: Any, wanted: Any, type_: Type) -> bool:
    if type_ is Type.TEXT:
        return bool(str(value).lower() == wanted.lower())
    if type_ in (Type.DATE, Type.DATETIME):
        return _day_or_moment(value, wanted) == 0
    return bool(value == wanted)


def _holds(value: Any, operator: str, values: tuple[Any, ...], type_: Type) -> bool:  # noqa: PLR0911 - as above
    match operator:
        case "exists":
            return True
        case "=" | "in":
            return any(_equal(value, wanted, type_) for wanted in values)
        case "contains":
            return values[0].lower() in value.lower()
        case "starts with":
            return bool(value.lower().startswith(values[0].lower()))
        case "ends with":
            return bool(value.lower().endswith(values[0].lower()))
        case "within":
            return bool(NOW - _length(values[0]) <= value <= NOW)
        case _:
            pass
    if type_ in (Type.DATE, Type.DATETIME):
        side = _day_or_moment(value, values[0])
    else:
        side = (value > values[0]) - (value < values[0])
    return bool({"<": side < 0, "<=": side <= 0, ">": side > 0, ">=": side >= 0}[operator])


def _day_or_moment(value: datetime, wanted: Any) -> int:
    """Below, equal or above: dates compare days, everything else moments."""
    if isinstance(wanted, date) and not isinstance(wanted, datetime):
        day = value.astimezone(UTC).date()
        return (day > wanted) - (day < wanted)
    if isinstance(wanted, t.Relative):
        wanted = NOW + _length(wanted.span) * (1 if wanted.ahead else -1)
    return int(value > wanted) - int(value < wanted)
