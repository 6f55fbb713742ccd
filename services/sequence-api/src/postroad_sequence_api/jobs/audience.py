"""Whom a job is about: the contacts that there were when it was asked for, all or those that a filter means.

They are walked in the order of their ids, which is that of time, so nobody is met twice and nobody who comes later at
all. Whom the filter means is looked up in each chunk; a time such as "7d ago" stays that of the request.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from postroad_common.db import queries
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import FilterTooSlowError
from postroad_sequence_api.jobs.claim import Chunk, Claim
from postroad_sequence_api.services import selection

_SQL: Final = queries("postroad_sequence_api", "contacts")
_MOST_COUNTED: Final = 10_000
_COUNTING_SECONDS: Final = 1.0
_LOOKING_SECONDS: Final = 3.0
"""How long a chunk may look for contacts: a part of its lease."""


class Audience(NamedTuple):
    """The params that a job needs for `next_of`, and how many contacts it will be; None when that takes long to say."""

    params: Mapping[str, Any]
    total: int | None


async def choose(work: Work, filter_: str | None) -> Audience:
    """Whom a filter means now, None: everybody. Raises InvalidFilterError."""
    found = await work.one(_SQL.last_contact)
    meant = await selection.select(work, filter_, now=found["now"])
    params = {
        "filter": filter_,
        "at": found["now"].isoformat(),
        "last": None if found["last"] is None else str(found["last"]),
    }
    total = await _count(work, meant) if filter_ is not None else await work.value(_SQL.count_contacts)
    return Audience(params, total)


async def _count(work: Work, meant: selection.Selection) -> int | None:
    try:
        async with work.savepoint():
            most = _MOST_COUNTED + 1
            ids = await selection.contact_ids(work, meant, after=None, limit=most, patience=_COUNTING_SECONDS)
    except FilterTooSlowError:
        return None
    return len(ids) if len(ids) <= _MOST_COUNTED else None


def turn_back(chunk: Chunk, after: UUID, count: int) -> None:
    """Leave the last so many of the contacts to the next chunk: this one ends after a contact before them."""
    chunk.position = {**chunk.position, "after": str(after)}
    chunk.done -= count


async def next_of(claim: Claim, chunk: Chunk, limit: int) -> tuple[list[UUID], bool]:
    """The next contacts, at most so many, and whether there may be more; moves the chunk's position behind them."""
    if claim.params["last"] is None:
        return [], False
    last = UUID(claim.params["last"])
    after = claim.position.get("after")
    meant = await selection.select(chunk.work, claim.params["filter"], now=datetime.fromisoformat(claim.params["at"]))
    found = await selection.walk(
        chunk.work, meant, after=None if after is None else UUID(after), limit=limit, seconds=_LOOKING_SECONDS
    )
    ids = [id_ for id_ in found.ids if id_ <= last]
    more = found.to is not None and found.to < last
    chunk.done += len(ids)
    if more:
        chunk.position = {**claim.position, "after": str(found.to)}
        if chunk.total is not None and chunk.done >= chunk.total:
            chunk.total = None
    else:
        chunk.position = {**claim.position, "after": str(last)}
        chunk.total = chunk.done
    return ids, more
