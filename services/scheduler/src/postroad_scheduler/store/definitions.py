"""Definitions of activated versions, as sequence-api wrote them."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from typing import Final

from asyncpg import Record

from postroad_common.db import AnyConnection, queries
from postroad_engine.definition import EmailStep, SequenceDefinition
from postroad_scheduler.values import VersionKey

_SQL: Final = queries("postroad_scheduler", "definitions")


async def read(conn: AnyConnection, keys: Sequence[VersionKey]) -> dict[VersionKey, SequenceDefinition]:
    """The definitions of these versions, without those that are not there."""
    rows = await conn.fetch(_SQL.read, *map(list, zip(*keys, strict=True)))
    return {key: _definition(list(steps)) for key, steps in groupby(rows, _key)}


def _key(row: Record) -> VersionKey:
    return row["tenant_id"], row["sequence_id"], row["version"]


def _definition(rows: Sequence[Record]) -> SequenceDefinition:
    first = rows[0]
    return SequenceDefinition(first["sequence_id"], first["version"], first["sender_id"], tuple(map(_step, rows)))


def _step(row: Record) -> EmailStep:
    return EmailStep(
        key=row["step_key"],
        number=row["number"],
        delay=timedelta(seconds=row["delay_seconds"]),
        template_id=row["template_id"],
        template_version=row["template_version"],
        preferred_time=row["preferred_time"],
        thread=row["thread"],
    )
