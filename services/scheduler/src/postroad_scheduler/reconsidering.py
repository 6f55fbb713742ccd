"""Rows looked at again: what somebody wants, or what came back, has changed; or their time has come."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Final, TypeVar

import structlog

from postroad_common.clock import database_now
from postroad_common.db import AnyConnection, transaction
from postroad_common.lifecycle import is_outage
from postroad_engine.reasons import StopKind
from postroad_scheduler.cases import NOT_THERE, read_cases, write_changes
from postroad_scheduler.context import Context
from postroad_scheduler.deliberation import Case, look_again, stopped_by, undecidable
from postroad_scheduler.metrics import UNANSWERED
from postroad_scheduler.store import progress as store
from postroad_scheduler.values import Change, Claimed, Key, Progress

_log = structlog.get_logger()

T = TypeVar("T", Key, Claimed)

CHUNK: Final = 1000
"""Rows in one transaction."""


async def reconsider(context: Context, keys: Sequence[Key], stops: Mapping[Key, StopKind] | None = None) -> None:
    """Decide anew over enrollments, some of which we know to be stopped. Safe to repeat. One at fault holds none up."""
    remaining = iter(dict.fromkeys(keys))
    while chunk := list(islice(remaining, CHUNK)):
        await _one_by_one_if_need_be(context, chunk, partial(_reconsider, context, stops or {}), store.lock_running)


async def look(context: Context, claimed: Sequence[Claimed]) -> None:
    """Decide over rows whose time has come and that may not simply run. One at fault holds none up."""
    await _one_by_one_if_need_be(context, claimed, partial(_look, context), store.lock_due)


async def _one_by_one_if_need_be(
    context: Context,
    rows: Sequence[T],
    decide: Callable[[Sequence[T]], Awaitable[None]],
    lock: Callable[[AnyConnection, Sequence[T]], Awaitable[list[Progress]]],
) -> None:
    """Decide over all at once; if that fails, over each alone, and hold those over which nothing can be decided."""
    try:
        await decide(rows)
    except Exception as error:
        if is_outage(error):
            raise
        if len(rows) > 1:
            for row in rows:
                await _one_by_one_if_need_be(context, [row], decide, lock)
            return
        await _hold_alone(context, rows, lock, error)


async def _hold_alone(
    context: Context,
    rows: Sequence[T],
    lock: Callable[[AnyConnection, Sequence[T]], Awaitable[list[Progress]]],
    cause: Exception,
) -> None:
    tenant_id, enrollment_id = rows[0][:2]
    _log.error("cannot decide", tenant=tenant_id, enrollment=enrollment_id, exc_info=cause)
    try:
        async with transaction(context.pool, tenant_id) as conn:
            await _hold(context, conn, await lock(conn, rows), type(cause).__name__)
    except Exception as error:
        if is_outage(error):
            raise
        _log.exception("cannot even hold it", tenant=tenant_id, enrollment=enrollment_id)


async def _reconsider(context: Context, stops: Mapping[Key, StopKind], chunk: Sequence[Key]) -> None:
    async with transaction(context.pool, {tenant_id for tenant_id, _ in chunk}) as conn:
        cases = await read_cases(context, conn, await store.lock_running(conn, chunk))
        told = [_told(case, stops.get(case.progress.key)) for case in cases]
        changes = [look_again(case, overdue=False) for case in told]
        await write_changes(conn, cases, [change for change in changes if change is not None])


async def _look(context: Context, claimed: Sequence[Claimed]) -> None:
    async with transaction(context.pool, {row.tenant_id for row in claimed}) as conn:
        rows = await store.lock_due(conn, claimed)
        cases = await read_cases(context, conn, rows)
        changes = [change for case in cases if (change := look_again(case, overdue=True)) is not None]
        await write_changes(conn, cases, changes)
        readable = {case.progress.key for case in cases}
        await _hold(context, conn, [row for row in rows if row.key not in readable], NOT_THERE)
    UNANSWERED.inc(sum(map(_gives_up, changes)))


async def _hold(context: Context, conn: AnyConnection, rows: Sequence[Progress], why: str) -> None:
    """Hold what cannot be decided over: claimed again and again, it would stand before what is due."""
    if rows:
        now = await database_now(conn)
        await store.apply(conn, [undecidable(row, why, now, context.rules.policy) for row in rows], now)


def _told(case: Case, stop: StopKind | None) -> Case:
    return case if stop is None else stopped_by(case, stop)


def _gives_up(change: Change) -> bool:
    return change.phase == "held" and change.emissions > 0
