"""The language of filters: every text is one or is told what is wrong with it, and every filter can be written."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad_sequence_api.filtering.checking import check
from postroad_sequence_api.filtering.conditions import Conditions
from postroad_sequence_api.filtering.errors import FilterError
from postroad_sequence_api.filtering.fragments import Bound, rendered
from postroad_sequence_api.filtering.moments import sortable, stretch
from postroad_sequence_api.filtering.parsing import parse, text_of
from postroad_sequence_api.filtering.schema import Schema
from postroad_sequence_api.filtering.sources import Sources
from postroad_sequence_api.filtering.tree import MAX_DEPTH, MAX_LENGTH
from tests.filters import EXAMPLE_SCHEMA, nodes

PAGE = Path(__file__).parents[2] / "docs" / "filters.md"
NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
SHREDS = [
    *('attributes.plan = "pro"', "opened within 30d", "not", "(", ")", " and ", "in", '"', "\\", "2026-13-01", "1e999"),
    *(
        "enrolled in",
        "enrollment.state",
        ".",
        "é",
        "\ud800",
        "\x00",
        "attributes.",
        "30d ago",
        ",",
        "never",
        "''",
        "%s",
    ),
]
_LATER = st.timedeltas(timedelta(days=-20_000), timedelta(days=20_000))
MOMENTS = _LATER.map(lambda later: NOW + later)


@given(nodes())
def test_a_filter_written_down_and_read_again_is_the_same(node: object) -> None:
    assert parse(text_of(node)) == node  # type: ignore[arg-type]  # the strategy gives nodes


@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(SHREDS), max_size=12).map("".join)))
def test_any_text_is_a_filter_or_an_error_with_a_place(text: str) -> None:
    wrong = None
    try:
        node = parse(text)
        check(node, EXAMPLE_SCHEMA)
    except FilterError as error:
        wrong = error
    if wrong is not None:
        assert 0 <= wrong.position <= len(text)
        assert wrong.message
    else:
        writer = Conditions(EXAMPLE_SCHEMA, Bound(None, "uuid"), NOW)
        rendered(writer.of(node))
        assert all(rendered(source.rows) for source in Sources(writer).of(node))


@given(nodes(), st.sampled_from(["zq'); DROP", "zq$1", 'zq"', "zq\\", "zq--"]))
def test_no_text_of_the_user_is_ever_part_of_the_statement(node: object, evil: str) -> None:
    sequences = {**EXAMPLE_SCHEMA.sequences, evil: EXAMPLE_SCHEMA.sequences["Welcome"]}
    schema = Schema(EXAMPLE_SCHEMA.contact, EXAMPLE_SCHEMA.account, sequences)
    quoted = '"' + evil.replace("\\", "\\\\").replace('"', '\\"') + '"'
    told = (
        f"({text_of(node)}) or attributes.{quoted} = {quoted} or enrolled in {quoted} or first_name contains {quoted}"  # type: ignore[arg-type]
    )
    writer = Conditions(schema, Bound(None, "uuid"), NOW)
    statements = [rendered(writer.of(parse(told)))[0], *(rendered(s.rows)[0] for s in Sources(writer).of(parse(told)))]
    assert not any("zq" in statement for statement in statements)


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("", 0, "a field"),
        ("attributes.plan", 15, "="),
        ('attributes.plan = "pro', 18, "not closed"),
        ("opened witin 3d", 7, "within"),
        ("email = 'ada'", 8, 'a text in "double quotes"'),
        ('attributes.plan = "pro" foo', 24, "or the end"),
        ('(kind = "lead"', 14, '")"'),
        ("created_at > 2026-02-30", 13, "no day of the calendar"),
        ("favourite = 1", 0, "attributes.favourite"),
        ('kind = "customer"', 0, "lead, party"),
        ('kind = "lead" and opens = "3"', 18, "a number"),
        ('attributes.renewal = "2026-12-31"', 0, "without quotes"),
        ("attributes.plan < 3", 0, "not <"),
        ('enrolled in "Nowhere"', 0, "'Nowhere'"),
        ('email = ""', 0, "exists"),
        ('id = "7"', 0, "an id"),
        ("not " * MAX_DEPTH + "opened", 0, "deeper than 20"),
        (" " * MAX_LENGTH + "opened", MAX_LENGTH, "longer than"),
        (f"opens in ({', '.join(['1'] * 501)})", 0, "more than 500"),
    ],
)
def test_an_error_says_where_and_what_is_expected(text: str, position: int, expected: str) -> None:
    with pytest.raises(FilterError) as caught:
        check(parse(text), EXAMPLE_SCHEMA)
    assert caught.value.position == position
    assert expected in str(caught.value)


def test_deep_nesting_is_refused_however_deep() -> None:
    for text in ("not " * 990 + "opened", "(" * 1990 + "opened" + ")" * 1990 + " and replied"):
        try:
            parse(text)
        except FilterError:
            continue
        assert parse(text).depth <= MAX_DEPTH


def test_every_example_of_the_page_is_a_filter() -> None:
    examples = re.findall(r"^    (.+)$", PAGE.read_text().partition("## Grammar")[0], re.MULTILINE)
    assert len(examples) > 30
    for example in examples:
        check(parse(example), EXAMPLE_SCHEMA)


def test_the_page_names_every_operator_and_field() -> None:
    page = PAGE.read_text()
    grammar = (Path(parse.__code__.co_filename).with_name("grammar.lark")).read_text()
    words = set(re.findall(r'"([a-z]+)"i', grammar)) | set("|".join(re.findall(r"/\(([a-z|]+)\)", grammar)).split("|"))
    from postroad_sequence_api.filtering.schema import FIELDS  # noqa: PLC0415 - only here

    assert [word for word in words | set(FIELDS) if not re.search(rf"\b{re.escape(word)}\b", page)] == []


@given(MOMENTS, MOMENTS)
def test_moments_as_text_sort_as_they_do_in_time(stored: datetime, asked: datetime) -> None:
    stored -= timedelta(microseconds=stored.microsecond % 1000)
    assert (sortable(stored) < sortable(asked)) == (stored < asked)


def test_a_date_is_a_whole_day() -> None:
    assert stretch(date(2026, 12, 31), NOW) == (datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
