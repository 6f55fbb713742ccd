"""Files of contacts as people have them, made from a seed, and for each line what must become of it.

This is the oracle: it knows what it has written and shares no code with the importer.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

DOMAINS = (
    ("people.example", "people.example"),
    ("mail.people.example", "mail.people.example"),
    ("bücher.example", "xn--bcher-kva.example"),
    ("例え.example", "xn--r8jz45g.example"),
)
"""As written, and as stored."""

NAMES = ("Ada", "Zoë", "Łucja", "نورا", "שרה", "Грета", "美咲", "🎉 Bo", "O'Neil", "Ŝan-di")
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "")
HEADER = ("email", "First Name", "company", "timezone", "plan", "note")


@dataclass(frozen=True)
class Person:
    """A contact as it must be in the end."""

    first_name: str
    company: str
    timezone: str | None
    attributes: tuple[tuple[str, str], ...]

    def merged(self, later: "Person") -> "Person":
        return Person(
            later.first_name or self.first_name,
            later.company or self.company,
            later.timezone or self.timezone,
            tuple(sorted((dict(self.attributes) | dict(later.attributes)).items())),
        )


@dataclass
class MessyFile:
    """A file, and what must become of it. remarks: line, result and field of each row that the report must have."""

    path: Path
    rows: int
    seed: int
    delimiter: str = ";"
    people: dict[str, Person] = field(default_factory=dict)
    remarks: list[tuple[int, str, str | None]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    _lines: int = 0
    _first_lines: dict[str, int] = field(default_factory=dict)

    def write(self) -> "MessyFile":
        """Write it, with a byte order mark."""
        self._random = random.Random(self.seed)
        with self.path.open("wb") as file:
            file.write(b"\xef\xbb\xbf" + self.delimiter.join(HEADER).encode() + b"\r\n")
            self._lines = 1
            for number, kind in enumerate(self._kinds()):
                text = kind(self, number)
                data = text.encode("windows-1252" if kind is MessyFile._windows else "utf-8")
                file.write(data)
                self._lines += data.count(b"\n")
        return self

    def _kinds(self) -> Iterator[Callable[["MessyFile", int], str]]:
        kinds, weights = zip(*_KINDS, strict=True)
        for number in range(self.rows):
            if number % max(self.rows // 8, 1) == 5:
                yield MessyFile._huge
            else:
                yield self._random.choices(kinds, weights)[0]

    def _count(self, *results: str) -> None:
        for result in results:
            self.counts[result] = self.counts.get(result, 0) + 1

    def _line(self, *cells: str) -> str:
        return self.delimiter.join(cells) + self._random.choice(("\r\n", "\n"))

    def _remark(self, result: str, field_: str | None) -> None:
        self.remarks.append((self._lines + 1, result, field_))
        self._count("warnings" if result == "warning" else result)

    def _reject(self, field_: str | None, *cells: str) -> str:
        self._count("rows")
        self._remark("rejected", field_)
        return self._line(*cells)

    def _keep(self, email: str, person: Person) -> None:
        self._count("rows")
        standing = self.people.get(email)
        if standing is None:
            self.people[email] = person
            self._first_lines[email] = self._lines + 1
            self._count("created")
            return
        self._remark("warning", "email")
        self.people[email] = standing.merged(person)
        self._count("unchanged" if self.people[email] == standing else "updated")

    def _address(self, number: int) -> tuple[str, str]:
        written, stored = self._random.choice(DOMAINS)
        return f"p{number}@{written}", f"p{number}@{stored}"

    def _person(
        self,
        number: int,
        *,
        written: str | None = None,
        stored: str | None = None,
        name: str | None = None,
        company: str = "",
        note: str = "",
        zone: str | None = None,
    ) -> str:
        """A good row; what is not given is drawn."""
        if written is None or stored is None:
            written, stored = self._address(number)
        name = f"{self._random.choice(NAMES)} {number}" if name is None else name
        company = company or f"Company {number % 997} and daughters, makers of fine things since 1897"
        drawn = self._random.choice(ZONES) if zone is None else zone
        known = drawn if drawn in ZONES else ""
        plan = self._random.choice(("gold", "tin"))
        attributes = {"plan": plan} | ({"note": note} if note else {})
        self._keep(stored, Person(name, company, known or None, tuple(sorted(attributes.items()))))
        quoted = '"' + note.replace('"', '""') + '"' if note else ""
        return self._line(written, name, company, drawn, plan, quoted)

    def _good(self, number: int) -> str:
        return self._person(number)

    def _many_lines(self, number: int) -> str:
        return self._person(number, note=f'first line {number}\nsecond; line\r\nand a "quoted" word')

    def _windows(self, number: int) -> str:
        self._remark("warning", None)
        return self._person(number, written=f"p{number}@people.example", stored=f"p{number}@people.example",
                            name=f"Zoë “Žan” {number} €")  # fmt: skip

    def _shouting(self, number: int) -> str:
        return self._person(number, written=f" P{number}@People.EXAMPLE", stored=f"p{number}@people.example")

    def _again(self, number: int) -> str:
        if not self.people:
            return self._good(number)
        earlier = self._random.randrange(number)
        for _, stored_domain in DOMAINS:
            email = f"p{earlier}@{stored_domain}"
            if email in self.people:
                return self._person(number, written=email.upper(), stored=email)
        return self._good(number)

    def _same(self, number: int) -> str:
        """A row that says nothing new."""
        if not self.people:
            return self._good(number)
        email = next(reversed(self.people))
        standing = self.people[email]
        self._keep(email, Person("", "", None, ()))
        return self._line(email, standing.first_name, "", "", "", "")

    def _formula(self, number: int) -> str:
        return self._person(number, company=f"=cmd|' /C calc'!A{number}")

    def _lost_zone(self, number: int) -> str:
        self._remark("warning", "timezone")
        return self._person(number, zone="Mars/Olympus")

    def _no_address(self, number: int) -> str:
        return self._reject("email", "", f"Nobody {number}", "", "", "", "")

    def _broken_address(self, number: int) -> str:
        broken = self._random.choice(
            (f"p{number}", f"p{number}@", f"p{number}@@people.example", f"p {number}@x.example")
        )
        return self._reject("email", broken, "Ada", "", "", "", "")

    def _injected(self, number: int) -> str:
        return self._reject(
            "First Name".lower().replace(" ", "_"), f"p{number}@people.example", "B\x07o", "", "", "", ""
        )

    def _too_many(self, number: int) -> str:
        return self._reject(None, f"p{number}@people.example", "Ada", "", "", "", "", "one more")

    def _open_quote(self, number: int) -> str:
        return self._reject(None, f"p{number}@people.example", '"Ada', "", "", "", "")

    def _blank(self, _: int) -> str:
        return self._line("", "", "", "", "", "") if self._random.random() < 0.5 else "\n"

    def _huge(self, number: int) -> str:
        return self._reject(None, f"p{number}@people.example", "Ada", "", "", "", "x" * 2_000_000)


_KINDS: tuple[tuple[Callable[[MessyFile, int], str], float], ...] = (
    (MessyFile._good, 70),
    (MessyFile._many_lines, 5),
    (MessyFile._windows, 2),
    (MessyFile._shouting, 5),
    (MessyFile._again, 4),
    (MessyFile._same, 1),
    (MessyFile._formula, 2),
    (MessyFile._lost_zone, 2),
    (MessyFile._no_address, 2),
    (MessyFile._broken_address, 3),
    (MessyFile._injected, 0.5),
    (MessyFile._too_many, 0.5),
    (MessyFile._open_quote, 0.2),
    (MessyFile._blank, 0.8),
)
