"""Which contacts a filter means, page by page, at a cost that does not depend on how rare they are.

Contacts are looked at in the order of their ids, in slices that grow: of all contacts, or of those that sources
(indexes) name. A source with few contacts is read at once; those whose index is in the order of ids are sliced like
the contacts themselves. Any other must be sorted for every page: one that is small at once, a large one only when the
first contacts have not filled the page. So neither a common condition nor a rare one depends on what the planner
believes.
"""

import asyncio
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
_LOOK_BEFORE_SORTING: Final = 1_000
_SORTED_SLICE: Final = 10_000
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
class _Way:
    """Where to look: at a few contacts, or at rows in slices, and after a while at others (then)."""

    rows: Sql
    few: list[UUID] | None = None
    then: Sql | None = None


@dataclass(slots=True)
class _Search:
    """One run through the contacts."""

    work: Work
    selection: Selection
    deadline: float

    async def run(self, after: UUID, limit: int) -> Found:
        way = await self._choose(after)
        if way.few is not None:
            ids = await self._among(way.few, after, limit)
            return Found(ids, ids[-1] if len(ids) == limit else None)
        rows, size, looked_at = way.rows, _FIRST_SLICE, 0
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
            after, looked_at, size = end, looked_at + size, min(size * _GROWTH, _LARGEST_SLICE)
            if way.then is not None and looked_at >= _LOOK_BEFORE_SORTING:
                rows, size = way.then, max(size, _SORTED_SLICE)

    async def _choose(self, after: UUID) -> "_Way":
        """Where to look. Several sources in the order of ids are read side by side; what they have in common counts."""
        sources, all_ = self.selection.sources, self._all_contacts
        ordered = [source for source in sources if source.ordered]
        if not sources:
            return _Way(all_)
        if len(sources) == 1 and ordered:
            return _Way(_common(ordered))
        for source in sources:
            first = sql("SELECT s.contact_id FROM (", source.rows, ") s")
            if source.ordered:
                first = sql(first, " WHERE s.contact_id > ", Bound(after, "uuid"), " ORDER BY s.contact_id")
            ids = await self._ids(sql(first, f" LIMIT {_FEW + 1}"))
            if len(ids) <= _FEW:
                return _Way(all_, few=sorted(set(ids)))
        unordered = [source for source in sources if not source.ordered]
        for source in unordered:
            counted = sql("SELECT count(*) FROM (SELECT FROM (", source.rows, f") s LIMIT {_SORTED_AT_ONCE + 1}) s")
            text, arguments = rendered(counted)
            if await self.work.conn.fetchval(text, *arguments) <= _SORTED_AT_ONCE:
                return _Way(_sorted(source))
        if ordered:
            return _Way(_common(ordered))
        return _Way(all_, then=_sorted(unordered[0]))

    async def _among(self, ids: Sequence[UUID], after: UUID, limit: int) -> list[UUID]:
        return await self._ids(
            sql(
                "SELECT c.contact_id FROM sequence.contacts c WHERE c.tenant_id = ",
                self.selection.tenant,
                " AND c.contact_id = ANY (",
                Bound([one for one in ids if one > after], "uuid[]"),
                ") AND ",
                self._condition,
                f" ORDER BY c.contact_id LIMIT {int(limit)}",
            )
        )

    async def _slice(self, rows: Sql, after: UUID, size: int, limit: int) -> tuple[list[UUID], UUID | None]:
        """Those in the next slice that are meant; and if there were too few, its last contact, unless that is the last.

        One statement, so that both have seen the same rows.
        """
        text, arguments = rendered(
            sql(
                "WITH meant AS MATERIALIZED (SELECT k.contact_id FROM (",
                rows,
                _following(after),
                f" LIMIT {int(size)}) k",
                # OFFSET 0: one look-up for each contact, in their order, until there are enough; a join may read all.
                " CROSS JOIN LATERAL (SELECT * FROM sequence.contacts c WHERE c.tenant_id = ",
                self.selection.tenant,
                " AND c.contact_id = k.contact_id OFFSET 0) c WHERE ",
                self._condition,
                f" ORDER BY k.contact_id LIMIT {int(limit)})",
                " SELECT contact_id, false AS is_end FROM meant UNION ALL SELECT last.contact_id, true FROM (",
                rows,
                _following(after),
                f" OFFSET {int(size) - 1} LIMIT 1) last",
                " WHERE (SELECT count(*) FROM meant) < ",
                Bound(limit, "integer"),
            )
        )
        found = await self.work.conn.fetch(text, *arguments)
        return [row[0] for row in found if not row["is_end"]], next((row[0] for row in found if row["is_end"]), None)

    @property
    def _condition(self) -> Sql:
        return self.selection.condition or sql("true")

    @property
    def _all_contacts(self) -> Sql:
        return sql("SELECT s.contact_id FROM sequence.contacts s WHERE s.tenant_id = ", self.selection.tenant)

    async def _ids(self, statement: Sql) -> list[UUID]:
        text, arguments = rendered(statement)
        return [row[0] for row in await self.work.conn.fetch(text, *arguments)]

    def _is_late(self) -> bool:
        return asyncio.get_running_loop().time() > self.deadline


def _common(sources: Sequence[Source]) -> Sql:
    """The contacts that all of the sources name, each once."""
    rows = sql(_select(sources), " FROM (", sources[0].rows, ") s")
    for number, source in enumerate(sources[1:]):
        rows = sql(rows, " JOIN (", source.rows, f") s{number} ON s{number}.contact_id = s.contact_id")
    return sql(rows, " WHERE true")


def _sorted(source: Source) -> Sql:
    """The contacts that a source names, by its own index: without OFFSET 0 the planner may rather walk all by id."""
    return sql(_select([source]), " FROM (SELECT * FROM (", source.rows, ") r OFFSET 0) s WHERE true")


def _select(sources: Sequence[Source]) -> str:
    return f"SELECT {'' if all(source.once for source in sources) else 'DISTINCT '}s.contact_id"


def _following(after: UUID) -> Sql:
    return sql(" AND s.contact_id > ", Bound(after, "uuid"), " ORDER BY s.contact_id")


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
