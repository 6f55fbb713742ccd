"""Which contacts a filter means, page by page, at a cost that does not depend on how rare they are.

Contacts are looked at in the order of their ids, in slices that grow: of all contacts, or of those that sources
(indexes) name. A source with few contacts is read at once; those whose index is in the order of ids are sliced like
the contacts themselves. Any other must be sorted for every page, which waits until the first of all contacts have
shown that the page will not be full soon. What is sorted is bounded: some contacts that the source names, found out at
first, tell below which id a page's worth lies. So neither a common condition nor a rare one depends on what the
planner believes.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from asyncpg import QueryCanceledError

from postroad_common.db import queries
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import FilterTooSlowError, InvalidFilterError
from postroad_sequence_api.filtering.checking import check, unindexed
from postroad_sequence_api.filtering.conditions import Conditions
from postroad_sequence_api.filtering.errors import FilterError
from postroad_sequence_api.filtering.fragments import Bound, Sql, rendered, sql
from postroad_sequence_api.filtering.parsing import parse
from postroad_sequence_api.filtering.schema import Definition, Schema, Type
from postroad_sequence_api.filtering.sources import Source, Sources
from postroad_sequence_api.filtering.tree import (
    Comparison,
    Enrolled,
    EnrollmentState,
    Field,
    Node,
    all_of,
    any_of,
    conditions,
)

_SQL: Final = queries("postroad_sequence_api", "filters")
PATIENCE: Final = 5.0
"""Seconds that a list or a count may look for contacts."""
_FEW: Final = 1_000
_SORTED_AT_ONCE: Final = 20_000
_FIRST_SLICE: Final = 200
_GROWTH: Final = 4
_LARGEST_SLICE: Final = 200_000
_SORTED_SLICE: Final = 10_000
_RATHER_THAN_SORT: Final = 2_000
"""Contacts that take about as long to look at as a source of 100,000 to sort."""
_BEFORE_ALL: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter for one tenant at one moment. Raises nothing of its own: it has been checked."""

    tenant: Bound
    condition: Sql | None
    """None: every contact is meant."""
    sources: tuple[Source, ...] = ()
    unindexed: tuple[str, ...] = ()


class Found(NamedTuple):
    """Contacts that are meant, in the order of their ids, among those up to `to`; None: that was all of them."""

    ids: list[UUID]
    to: UUID | None


async def select(
    work: Work,
    filter_: str | None = None,
    *,
    q: str | None = None,
    also: Iterable[Node] = (),
    now: datetime | None = None,
) -> Selection:
    """Read a filter (docs/filters.md) and a search for the beginning of names and addresses; all must hold.

    now is what times such as "7d ago" are counted from; without it, the database's.
    Raises InvalidFilterError with the place and the reason.
    """
    tenant = Bound(work.tenant_id, "uuid")
    wanted = [_parsed(filter_)] if filter_ is not None else []
    wanted += [_search(q)] if q is not None and q.strip() else []
    wanted += also
    if not wanted:
        return Selection(tenant, None)
    node = all_of(*wanted)
    schema = await _schema(work, node)
    try:
        check(node, schema)
    except FilterError as error:
        raise InvalidFilterError(error) from error
    writer = Conditions(schema, tenant, now or await work.value(_SQL.now))
    return Selection(tenant, writer.of(node), Sources(writer).of(node), unindexed(node, schema))


async def contact_ids(
    work: Work, selection: Selection, *, after: UUID | None, limit: int, patience: float
) -> list[UUID]:
    """The next contacts by id, at most so many; fewer: these were the last.

    patience bounds the seconds: FilterTooSlowError then, and the transaction is of no more use.
    """
    await work.do(_SQL.set_patience, f"{patience * 1000:.0f}")
    try:
        found = await walk(work, selection, after=after, limit=limit, seconds=patience)
    except QueryCanceledError as error:
        raise FilterTooSlowError(selection.unindexed) from error
    if found.to is not None and len(found.ids) < limit:
        raise FilterTooSlowError(selection.unindexed)
    return found.ids


async def walk(work: Work, selection: Selection, *, after: UUID | None, limit: int, seconds: float) -> Found:
    """The next contacts by id, at most so many, of as many as can be looked at in about so many seconds.

    For those who come back for the rest: it always gets further, however rare the contacts are.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    return await _Search(work, selection, deadline).run(after or _BEFORE_ALL, limit)


@dataclass(frozen=True, slots=True)
class _InOrder:
    """Rows that an index, or a short list, gives by contact_id."""

    rows: Sql
    """SELECT of s.contact_id, each once, that ends in a condition."""

    def slice(self, after: UUID, size: int) -> tuple[Sql, UUID | None]:
        """The first so many after a contact, in order; and the last contact that they go up to, None: no bound."""
        following = sql(" AND s.contact_id > ", Bound(after, "uuid"), f" ORDER BY s.contact_id LIMIT {int(size)}")
        return sql(self.rows, following), None


@dataclass(frozen=True, slots=True)
class _ToSort:
    """Rows that must be sorted for every slice. known: some of them by contact_id, each once."""

    source: Source
    known: tuple[UUID, ...] = ()

    def slice(self, after: UUID, size: int) -> tuple[Sql, UUID | None]:
        """As _InOrder. What lies beyond `bound` need not be sorted."""
        to = self.bound(after, size)
        # OFFSET 0: the source's own index, where the planner may rather walk all contacts by id.
        rows = sql(
            _select([self.source]), " FROM (SELECT * FROM (", self.source.rows, ") r WHERE ", _beyond(after, to),
            f" OFFSET 0) s ORDER BY s.contact_id LIMIT {int(size)}",
        )  # fmt: skip
        return rows, to

    def bound(self, after: UUID, size: int) -> UUID | None:
        """The contact up to which so many follow another, as far as they are known."""
        place = bisect_right(self.known, after) + size - 1
        return self.known[place] if place < len(self.known) else None


@dataclass(frozen=True, slots=True)
class _Way:
    """Where to look; and what to sort if that does not promise to fill the page soon (then)."""

    rows: _InOrder | _ToSort
    then: _ToSort | None = None
    at_once: bool = False
    """They are few: one slice."""


@dataclass(slots=True)
class _Search:
    """One run through the contacts."""

    work: Work
    selection: Selection
    deadline: float

    async def run(self, after: UUID, limit: int) -> Found:
        way = await self._choose(after)
        rows, then, looked_at = way.rows, way.then, 0
        size = _FEW + 1 if way.at_once else _FIRST_SLICE
        if self.selection.condition is None:
            size = max(size, limit)
        found: list[UUID] = []
        while True:
            more, end = await self._slice(rows, after, size, limit - len(found))
            found += more
            if len(found) >= limit:
                return Found(found, found[-1])
            if end is None or self._is_late():
                return Found(found, end)
            after, looked_at = end, looked_at + size
            if then is not None and _is_far(looked_at, len(found), limit):
                size = max(_FIRST_SLICE, limit - len(found))
                rows, then = await self._to_sort(then, after, size), None
            else:
                least = _SORTED_SLICE if isinstance(rows, _ToSort) else 0
                size = min(max(size * _GROWTH, least), _LARGEST_SLICE)

    async def _choose(self, after: UUID) -> _Way:
        """Where to look. Several sources in the order of ids are read side by side; what they have in common counts."""
        sources = self.selection.sources
        ordered = [source for source in sources if source.ordered]
        if not sources:
            return _Way(self._all_contacts)
        if len(sources) == 1 and ordered:
            return _Way(_common(ordered))
        to_sort: list[_ToSort] = []
        for source in sources:
            some = await self._ids(_some_in_order(source, after) if source.ordered else _some(source))
            if len(some) <= _FEW:
                return _Way(_listed(some), at_once=True)
            if not source.ordered:
                to_sort.append(_ToSort(source, _distinct(some)))
        if len(sources) > 1:
            for rows in to_sort:
                if await self._is_small(rows.source):
                    return _Way(rows)
        if ordered:
            return _Way(_common(ordered))
        return _Way(self._all_contacts, then=to_sort[0])

    async def _to_sort(self, rows: _ToSort, after: UUID, size: int) -> _InOrder | _ToSort:
        """With a bound for the first slice; or listed, when few are left."""
        if rows.bound(after, size) is not None:
            return rows
        some = await self._ids(_some_beyond(rows.source, after))
        return _listed(some) if len(some) <= _FEW else _ToSort(rows.source, _distinct(some))

    async def _is_small(self, source: Source) -> bool:
        """Whether it is rather sorted than left to others."""
        counted = sql("SELECT count(*) FROM (SELECT FROM (", source.rows, f") s LIMIT {_SORTED_AT_ONCE + 1}) s")
        text, arguments = rendered(counted)
        return bool(await self.work.conn.fetchval(text, *arguments) <= _SORTED_AT_ONCE)

    async def _slice(
        self, rows: _InOrder | _ToSort, after: UUID, size: int, limit: int
    ) -> tuple[list[UUID], UUID | None]:
        """Those in the next slice that are meant; and if there were too few, its last contact, unless that is the last.

        One statement that reads its rows once and no further than needed, so that both have seen the same.
        """
        slice_, to = rows.slice(after, size)
        statement = sql(
            "SELECT contact_id, is_meant, is_end FROM (SELECT k.contact_id, ", self._is_meant, " AS is_meant,",
            f" row_number() OVER (ORDER BY k.contact_id) = {int(size)} AS is_end FROM (", slice_,
            f") k) looked_at WHERE is_meant OR is_end ORDER BY contact_id LIMIT {int(limit)}",
        )  # fmt: skip
        text, arguments = rendered(statement)
        looked_at = await self.work.conn.fetch(text, *arguments)
        end = looked_at[-1]["contact_id"] if looked_at and looked_at[-1]["is_end"] else to
        return [row["contact_id"] for row in looked_at if row["is_meant"]], end

    @property
    def _is_meant(self) -> Sql:
        """Whether k is; OFFSET 0 keeps it a look-up for each contact, as joined the planner may read all."""
        if self.selection.condition is None:
            return sql("true")
        return sql(
            "EXISTS (SELECT FROM sequence.contacts c WHERE c.tenant_id = ", self.selection.tenant,
            " AND c.contact_id = k.contact_id AND ", self.selection.condition, " OFFSET 0)",
        )  # fmt: skip

    @property
    def _all_contacts(self) -> _InOrder:
        return _InOrder(sql("SELECT s.contact_id FROM sequence.contacts s WHERE s.tenant_id = ", self.selection.tenant))

    async def _ids(self, statement: Sql) -> list[UUID]:
        text, arguments = rendered(statement)
        return [row[0] for row in await self.work.conn.fetch(text, *arguments)]

    def _is_late(self) -> bool:
        return asyncio.get_running_loop().time() > self.deadline


def _is_far(looked_at: int, found: int, limit: int) -> bool:
    """Whether it takes many more contacts to find the others, at the rate at which these were found."""
    return (limit - found) * looked_at > found * _RATHER_THAN_SORT


def _common(sources: Sequence[Source]) -> _InOrder:
    """The contacts that all of the sources name, each once."""
    rows = sql(_select(sources), " FROM (", sources[0].rows, ") s")
    for number, source in enumerate(sources[1:]):
        rows = sql(rows, " JOIN (", source.rows, f") s{number} ON s{number}.contact_id = s.contact_id")
    return _InOrder(sql(rows, " WHERE true"))


def _listed(ids: Sequence[UUID]) -> _InOrder:
    once = Bound(_distinct(ids), "uuid[]")
    return _InOrder(sql("SELECT s.contact_id FROM unnest(", once, ") s (contact_id) WHERE true"))


def _distinct(ids: Sequence[UUID]) -> tuple[UUID, ...]:
    return tuple(sorted(set(ids)))


def _some(source: Source) -> Sql:
    """Contacts that a source names, in no order: all if they are few, else more than that; as the next two."""
    return sql("SELECT s.contact_id FROM (", source.rows, f") s LIMIT {_FEW + 1}")


def _some_in_order(source: Source, after: UUID) -> Sql:
    """The first after another."""
    following = sql(" WHERE s.contact_id > ", Bound(after, "uuid"), f" ORDER BY s.contact_id LIMIT {_FEW + 1}")
    return sql("SELECT s.contact_id FROM (", source.rows, ") s", following)


def _some_beyond(source: Source, after: UUID) -> Sql:
    """Any after another. MATERIALIZED: read lazily, but planned as if all were read, by the source's own index."""
    return sql(
        "WITH s AS MATERIALIZED (SELECT r.contact_id FROM (", source.rows, ") r WHERE ", _beyond(after),
        ") SELECT s.contact_id FROM s", f" LIMIT {_FEW + 1}",
    )  # fmt: skip


def _beyond(after: UUID, to: UUID | None = None) -> Sql:
    """After one contact, up to another. IS TRUE: looked at row by row, and no reason to use an index by id."""
    upper = sql() if to is None else sql(" AND r.contact_id <= ", Bound(to, "uuid"))
    return sql("(r.contact_id > ", Bound(after, "uuid"), upper, ") IS TRUE")


def _select(sources: Sequence[Source]) -> str:
    return f"SELECT {'' if all(source.once for source in sources) else 'DISTINCT '}s.contact_id"


def _parsed(filter_: str) -> Node:
    try:
        return parse(filter_)
    except FilterError as error:
        raise InvalidFilterError(error) from error


def _search(q: str) -> Node:
    """Who is looked for: the beginning of an address, a name or a company, or of first and last name."""
    text = " ".join(q.split())
    either: list[Node] = [_begins(name, text) for name in ("email", "first_name", "last_name", "company")]
    first, _, last = text.partition(" ")
    if last:
        either.append(all_of(_begins("first_name", first), _begins("last_name", last)))
    return any_of(*either)


def _begins(name: str, text: str) -> Node:
    return Comparison(Field(name), "starts with", (text,))


async def _schema(work: Work, node: Node) -> Schema:
    rows = await work.all(_SQL.definitions)
    by_entity = {
        entity: {row["name"]: Definition(Type(row["type"]), row["index"]) for row in rows if row["entity"] == entity}
        for entity in ("contact", "account")
    }
    names = {name for condition in conditions(node) if (name := _sequence_name(condition)) is not None}
    sequences = await work.all(_SQL.sequences_named, sorted(names)) if names else []
    return Schema(by_entity["contact"], by_entity["account"], {row["name"]: row["sequence_id"] for row in sequences})


def _sequence_name(condition: object) -> str | None:
    match condition:
        case Enrolled(sequence) | Comparison(EnrollmentState(sequence)):
            return sequence
        case _:
            return None
