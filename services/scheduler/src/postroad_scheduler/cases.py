"""Locked rows, read with all that bears on them, and written as decided."""

from collections.abc import Sequence
from typing import Final

import structlog

from postroad_common.db import AnyConnection
from postroad_scheduler.context import Context
from postroad_scheduler.deliberation import Case
from postroad_scheduler.metrics import DECIDED
from postroad_scheduler.store import progress as store
from postroad_scheduler.values import Change, Progress

_log = structlog.get_logger()

NOT_THERE: Final = "its contact, its enrollment or the steps of its sequence version are not there"
"""Why a row is no case."""


async def read_cases(context: Context, conn: AnyConnection, rows: Sequence[Progress]) -> list[Case]:
    """The rows as cases, without those whose enrollment or version is not there. Facts are read now, rows locked."""
    if not rows:
        return []
    situations = await store.read_situations(conn, [row.key for row in rows])
    definitions = await context.definitions.get(conn, {s.version_key for s in situations.values()})
    cases = []
    for row in rows:
        situation = situations.get(row.key)
        definition = None if situation is None else definitions.get(situation.version_key)
        if situation is None or definition is None:
            _log.error(NOT_THERE, tenant=row.tenant_id, enrollment=row.enrollment_id)
        else:
            cases.append(Case(row, situation, definition, context.rules))
    return cases


async def write_changes(conn: AnyConnection, cases: Sequence[Case], changes: Sequence[Change]) -> None:
    """Write what was decided over cases, at the time at which their facts were read."""
    if not changes:
        return
    await store.apply(conn, changes, cases[0].situation.now)
    for change in changes:
        if change.outcome is not None:
            DECIDED.labels(change.outcome).inc()
