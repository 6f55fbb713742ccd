"""Files of contacts without a database: records, rows, and what a batch does to what stands."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad_common.ids import new_id
from postroad_sequence_api.csv_import.plan import plan
from postroad_sequence_api.csv_import.records import MOST_BYTES, Broken, Place, Reader, Record, sniff
from postroad_sequence_api.csv_import.rows import Note, Row, columns_of, read_row
from postroad_sequence_api.models.jobs import AttributeColumn


def read(
    data: str | bytes, delimiter: str = ",", *, piece: int = 1000, most: int = 7, encoding: str | None = None
) -> list[Record | Broken]:
    """The records of a file that is fed in pieces."""
    raw = data.encode() if isinstance(data, str) else data
    reader, found = Reader(delimiter, encoding=encoding), []
    for start in range(0, len(raw), piece):
        reader.feed(raw[start : start + piece])
        while taken := reader.take(most):
            found += taken
    reader.end()
    while taken := reader.take(most):
        found += taken
    assert reader.place.offset == len(raw)
    return found


CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TRICKY = st.text('a,;"\n\r\t\x00 é', max_size=200)


@given(
    st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=8), st.sampled_from([",", ";", "\t"]), st.integers(1, 40)
)
def test_what_a_csv_writer_writes_is_read_back(rows: list[list[str]], delimiter: str, piece: int) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)
    written = file.getvalue()
    records = read(written, delimiter, piece=piece)
    expected = [row for row in rows if any(row)]
    if expected and written.startswith('"\ufeff'):
        return  # a byte order mark inside the first quote cannot be told from a cell's first letter
    assert [record.cells for record in records if isinstance(record, Record)] == expected


@given(TRICKY, st.integers(1, 40))
def test_any_text_is_read_to_its_end_with_growing_line_numbers(text: str, piece: int) -> None:
    lines = [found.line for found in read(text, piece=piece)]
    assert lines == sorted(set(lines))
    assert not lines or lines[-1] <= len(list(io.StringIO(text, newline="")))


@given(TRICKY, st.integers(1, 40), st.integers(1, 5))
def test_where_a_file_is_cut_into_pieces_makes_no_difference(text: str, piece: int, most: int) -> None:
    assert read(text, piece=piece, most=most) == read(text, piece=10_000, most=10_000)


@given(TRICKY, st.integers(0, 10))
def test_reading_goes_on_from_any_place_as_if_it_had_never_ended(text: str, taken: int) -> None:
    raw = text.encode()
    first = Reader(",")
    first.feed(raw)
    first.end()
    begun = first.take(taken)
    second = Reader(",", place=first.place)
    second.feed(raw[first.place.offset :])
    second.end()
    assert [*begun, *second.take(1000)] == read(text)


def test_each_record_says_on_which_line_it_begins() -> None:
    records = read('a,b\n"c\nd",e\n\nf,g\n')
    assert [(record.line, record.cells) for record in records if isinstance(record, Record)] == [
        (1, ["a", "b"]),
        (2, ["c\nd", "e"]),
        (5, ["f", "g"]),
    ]


def test_after_an_open_quote_reading_goes_on_with_the_next_line() -> None:
    found = read('a,"open\n' + "".join(f"r{n},x\n" for n in range(250)))
    assert isinstance(found[0], Broken)
    assert found[0].line == 1
    assert [record.line for record in found[1:]] == list(range(2, 252))


def test_an_open_quote_is_not_closed_by_another_rows_quote() -> None:
    found = read('a,"open\nb,"Bo"\nc,"Cy"\nd,"also open\ne,E\n')
    assert [(type(one), one.line) for one in found] == [
        (Broken, 1),
        (Record, 2),
        (Record, 3),
        (Broken, 4),
        (Record, 5),
    ]


def test_a_cell_without_bound_is_refused_and_reading_goes_on() -> None:
    found = read(f'"{"x" * 200_000}",y\na,b\n')
    assert [type(one) for one in found] == [Broken, Record]


@pytest.mark.parametrize("size", [MOST_BYTES + 1, 2 * MOST_BYTES, 5 * MOST_BYTES + 7])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_a_line_of_megabytes_is_passed_over_in_bounded_memory(size: int, ending: str) -> None:
    reader, found, most_held = Reader(","), [], 0
    for piece in ("a,b" + ending, *["x" * 65_536] * (size // 65_536 + 1), f"{ending}c,d{ending}"):
        reader.feed(piece.encode())
        found += reader.take(10)
        most_held = max(most_held, len(reader._rest))
    reader.end()
    found += reader.take(10)
    assert [(type(one), one.line) for one in found] == [(Record, 1), (Broken, 2), (Record, 3)]
    assert most_held <= MOST_BYTES
    assert isinstance(found[1], Broken)
    assert f"longer than {MOST_BYTES:,} bytes" in found[1].reason
    assert len(found[1].text) < 1000


def test_a_file_of_open_quotes_is_read_in_bounded_time() -> None:
    found = read('a@b.example,"open\n' * 20_001, piece=100_000)
    assert len(found) == 20_001


def test_a_line_that_is_no_utf_8_is_windows_1252_and_says_so() -> None:
    found = read("a,Zoë\n".encode() + "b,Zoë €\n".encode("windows-1252") + b"c,\x81\n")
    assert found[0] == Record(1, ["a", "Zoë"])
    assert found[1] == Record(2, ["b", "Zoë €"], guessed=True)
    assert isinstance(found[2], Broken)
    assert "neither UTF-8 nor Windows-1252" in found[2].reason


def test_a_declared_encoding_is_that_or_broken() -> None:
    assert read("Łódź,ż\n".encode("windows-1250"), encoding="windows-1250") == [Record(1, ["Łódź", "ż"])]
    [found] = read("Zoë,x\n".encode("windows-1252"), encoding="utf-8")
    assert isinstance(found, Broken)
    assert "is not utf-8" in found.reason


def test_a_place_is_a_byte_and_a_line() -> None:
    reader = Reader(",")
    reader.feed('ä,b\r\n"c\nd",e\n'.encode())
    reader.take(1)
    assert reader.place == Place(6, 1)


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [("a,b;c,d", ","), ("a;b,c;d", ";"), ("a\tb", "\t"), ("email", ","), ('"a;b;c",d', ","), ("a|b", "|"), ("", ",")],
)
def test_the_delimiter_is_what_the_header_has_most_of_outside_quotes(header: str, delimiter: str) -> None:
    assert sniff(header) == delimiter


def row(line: int, email: str, **values: str) -> Row:
    return Row(line, {"email": email, **values}, {})


def rejections(notes: list[Note]) -> list[tuple[int, str | None]]:
    return [(note.line, note.field) for note in notes if note.result == "rejected"]


def standing(email: str, **values: Any) -> dict[str, Any]:
    blank = {"external_id": None, "first_name": "", "last_name": "", "company": "", "kind": "lead", "timezone": None}
    return {"contact_id": new_id(), "email": email, **blank, "attributes": {}, **values}


def test_a_plan_creates_updates_and_leaves_alone() -> None:
    here, same = standing("a@x.example"), standing("b@x.example", company="B")
    made = plan(
        [row(2, "a@x.example", company="A"), row(3, "b@x.example", company="B"), row(4, "c@x.example")], [here, same]
    )
    assert (made.created, made.updated, made.unchanged, made.notes) == (1, 1, 1, [])
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
    assert rejections(made.notes) == [(2, "email"), (3, "external_id")]
    assert (made.changed, made.met) == ([], [])


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

    stands = [{"contact_id": contact.contact_id, **contact.values} for contact in plan(rows(first), []).changed]
    made = plan(rows(second), stands)
    changed = {contact.contact_id for contact in made.changed}
    after = [one for one in stands if one["contact_id"] not in changed] + [contact.values for contact in made.changed]
    emails = [one["email"] for one in after]
    ids = [one["external_id"] for one in after if one["external_id"]]
    assert len(emails) == len(set(emails))
    assert len(ids) == len(set(ids))
    assert made.created + made.updated + made.unchanged + len(rejections(made.notes)) == len(second)


def test_a_row_about_a_contact_of_an_earlier_line_names_that_line() -> None:
    """Whether the earlier line is in the same batch or in one that was written long ago."""
    before = {**standing("a@x.example"), "line": 7}
    made = plan([row(20, "a@x.example", company="A"), row(21, "b@x.example"), row(22, "b@x.example")], [before])
    assert [(note.line, note.result, note.reason) for note in made.notes] == [
        (20, "warning", "is the contact of line 7 again"),
        (22, "warning", "is the contact of line 21 again"),
    ]
    assert [(contact.values["email"], contact.line) for contact in made.met] == [("b@x.example", 21)]


def test_a_note_shows_a_bad_value_shortened_and_legible() -> None:
    found = read_row(columns_of(("email", "first_name")), Record(2, ["a@x.example", "\x00" + "y" * 500]))
    assert isinstance(found, Note)
    assert found.value.startswith("\ufffdy")
    assert len(found.value) <= 100


def test_columns_are_what_they_are_mapped_to_and_the_others_go_by_their_names() -> None:
    columns = columns_of(
        ("E-Mail", "Vorname", "Umsatz", "Notes", "company", "Plan"),
        {"E-Mail": "email", "Vorname": "first_name", "Umsatz": AttributeColumn(attribute="revenue"), "Notes": None},
    )
    assert [None if column is None else (column.kind, column.name) for column in columns] == [
        ("field", "email"),
        ("field", "first_name"),
        ("attribute", "revenue"),
        None,
        ("field", "company"),
        ("attribute", "Plan"),
    ]


def test_what_is_only_around_a_value_does_not_count() -> None:
    found = read_row(columns_of(("email", "first_name")), Record(2, ["\ufeff a@x.example\u200b", "\u00a0Ada\t"]))
    assert isinstance(found, Row)
    assert found.values == {"email": "a@x.example", "first_name": "Ada"}
