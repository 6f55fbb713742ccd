"""Files of contacts without a database: records, rows, and what a batch does to what stands."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad_common.ids import new_id
from postroad_sequence_api.csv_import.plan import plan
from postroad_sequence_api.csv_import.records import Broken, Record, Records, sniff
from postroad_sequence_api.csv_import.rows import Columns, Row
from postroad_sequence_api.models.contacts import RowNote


def read(text: str, delimiter: str = ",") -> list[Record | Broken]:
    return list(Records(iter(io.StringIO(text, newline="")), delimiter))


CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=8), st.sampled_from([",", ";", "\t"]))
def test_what_a_csv_writer_writes_is_read_back(rows: list[list[str]], delimiter: str) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)
    records = read(file.getvalue(), delimiter)
    assert [list(record.cells) for record in records if isinstance(record, Record)] == [row for row in rows if any(row)]


@given(st.text('a,;"\n\r\t\x00 ', max_size=200))
def test_any_text_is_read_to_its_end_with_growing_line_numbers(text: str) -> None:
    lines = [found.line for found in read(text)]
    assert lines == sorted(set(lines))
    assert not lines or lines[-1] <= len(list(io.StringIO(text, newline="")))


def test_each_record_says_on_which_line_it_begins() -> None:
    records = read('a,b\n"c\nd",e\n\nf,g\n')
    assert [(record.line, record.cells) for record in records if isinstance(record, Record)] == [
        (1, ("a", "b")),
        (2, ("c\nd", "e")),
        (5, ("f", "g")),
    ]


def test_after_an_open_quote_reading_goes_on_with_the_next_line() -> None:
    found = read('a,"open\n' + "".join(f"r{n},x\n" for n in range(250)))
    assert isinstance(found[0], Broken)
    assert found[0].line == 1
    assert [record.line for record in found[1:]] == list(range(2, 252))


def test_a_cell_without_bound_is_refused_and_reading_goes_on() -> None:
    found = read(f"{'x' * 200_000},y\na,b\n")
    assert [type(one).__name__ for one in found] == ["Broken", "Record"]


def test_a_file_of_open_quotes_is_read_in_bounded_time() -> None:
    found = read('a@b.example,"open\n' * 20_001)
    assert len(found) > 1_000


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [("a,b;c,d", ","), ("a;b,c;d", ";"), ("a\tb", "\t"), ("email", ","), ('"a;b;c",d', ","), ("", ",")],
)
def test_the_delimiter_is_what_the_header_has_most_of_outside_quotes(header: str, delimiter: str) -> None:
    assert sniff(header) == delimiter


def row(line: int, email: str, **values: str) -> Row:
    return Row(line, {"email": email, **values}, {})


def standing(email: str, **values: Any) -> dict[str, Any]:
    blank = {"external_id": None, "first_name": "", "last_name": "", "company": "", "kind": "lead", "timezone": None}
    return {"contact_id": new_id(), "email": email, **blank, "attributes": {}, **values}


def test_a_plan_creates_updates_and_leaves_alone() -> None:
    here, same = standing("a@x.example"), standing("b@x.example", company="B")
    made = plan(
        [row(2, "a@x.example", company="A"), row(3, "b@x.example", company="B"), row(4, "c@x.example")], [here, same]
    )
    assert (made.created, made.updated, made.unchanged, made.rejected) == (1, 1, 1, [])
    assert [contact.contact_id for contact in made.updates()] == [here["contact_id"]]
    assert [contact.values["email"] for contact in made.inserts()] == ["c@x.example"]


def test_a_row_that_repeats_a_new_one_is_merged_into_it() -> None:
    made = plan([row(2, "a@x.example", company="A"), row(3, "a@x.example", first_name="Ada")], [])
    [contact] = made.inserts()
    assert (contact.values["company"], contact.values["first_name"]) == ("A", "Ada")
    assert made.updates() == []


def test_no_row_takes_another_contact_s_address_or_id() -> None:
    one, two = standing("a@x.example", external_id="1"), standing("b@x.example", external_id="2")
    made = plan([row(2, "b@x.example", external_id="1"), row(3, "a@x.example", external_id="3")], [one, two])
    assert [(note.line, note.field) for note in made.rejected] == [(2, "email"), (3, "external_id")]
    assert made.contacts == []


def test_an_address_that_a_contact_gives_up_is_free_for_the_next_row() -> None:
    one = standing("a@x.example", external_id="1")
    made = plan([row(2, "new@x.example", external_id="1"), row(3, "a@x.example")], [one])
    assert [contact.values["email"] for contact in made.updates()] == ["new@x.example"]
    assert [contact.values["email"] for contact in made.inserts()] == ["a@x.example"]


ROWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["", "1", "2"]), st.sampled_from(["", "X", "Y"])), max_size=12
)


@given(ROWS, ROWS)
def test_however_rows_come_each_address_and_id_is_one_contact_s(
    first: list[tuple[str, str, str]], second: list[tuple[str, str, str]]
) -> None:
    def rows(given_: list[tuple[str, str, str]]) -> list[Row]:
        return [
            row(n, f"{email}@x.example", **{k: v for k, v in (("external_id", id_), ("company", company)) if v})
            for n, (email, id_, company) in enumerate(given_, 2)
        ]

    stands = [{"contact_id": contact.contact_id, **contact.values} for contact in plan(rows(first), []).contacts]
    made = plan(rows(second), stands)
    changed = {contact.contact_id for contact in made.contacts}
    after = [one for one in stands if one["contact_id"] not in changed] + [contact.values for contact in made.contacts]
    emails = [one["email"] for one in after]
    ids = [one["external_id"] for one in after if one["external_id"]]
    assert len(emails) == len(set(emails))
    assert len(ids) == len(set(ids))
    assert made.created + made.updated + made.unchanged + len(made.rejected) == len(second)


def test_a_note_shows_a_bad_value_shortened_and_legible() -> None:
    columns = Columns.of(Record(1, ("email", "first_name")))
    found = columns.read(Record(2, ("a@x.example", "\udcff" + "y" * 500)))
    assert isinstance(found, RowNote)
    assert found.value.startswith("?y")
    assert len(found.value) <= 100
