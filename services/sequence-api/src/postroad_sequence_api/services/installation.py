"""Which database may send: noticing that this one is a copy, holding it, and releasing it when it is reconciled."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from asyncpg import Pool, Record

from postroad_common.clock import database_now
from postroad_common.contracts import Evidence, MessagesDeliveredV1
from postroad_common.db import queries, transaction
from postroad_common.ids import new_id
from postroad_common.metrics import DATABASE_HELD
from postroad_sequence_api.context import Context, Desk
from postroad_sequence_api.errors import ConflictError, InvalidFieldError
from postroad_sequence_api.models.restore import (
    EvidenceNew,
    EvidenceTaken,
    HoldNew,
    ReconcileNew,
    ReleaseNew,
    RestoreStatus,
    TenantBroken,
)
from postroad_sequence_api.services import proofs

EVERY: Final = timedelta(seconds=2)

_SQL: Final = queries("postroad_sequence_api", "installation")
_FIRST: Final = UUID(int=0)
_TENANTS: Final = 50
_EVIDENCE_IN_A_MESSAGE: Final = 500
_SHOWN: Final = 20
_HEX_DIGITS: Final = 32
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Guard:
    """Looks whether the database still stands where it was last released, from the start on.

    `failover`: how old the last sign of life of a sender may be for a new timeline to count as a failover.
    """

    pool: Pool
    failover: timedelta

    async def begin(self) -> None:
        """At the start: a new database may send, a copy is held before anything is accepted."""
        await self.pool.execute(_SQL.adopt)
        await self.look()

    async def look(self) -> None:
        """Hold a copy, and show whether the database is held."""
        noticed = await self.pool.fetchrow(_SQL.notice, self.failover)
        if noticed is not None and noticed["follows"]:
            _log.warning("the server began a new timeline: taken for a failover that lost nothing")
        elif noticed is not None:
            _log.warning(
                "the database is held, nothing is sent: run `postroad restore status` and see docs/backup.md",
                because=noticed["held_because"],
            )
        standing = await self.pool.fetchrow(_SQL.standing)
        DATABASE_HELD.set(standing is not None and standing["held"])


async def status(context: Context) -> RestoreStatus:
    """The hold, and how far the database is reconciled."""
    row = await context.pool.fetchrow(_SQL.standing)
    counts = {"waiting": 0, "transmitting": 0, "may_have_been_sent": 0}
    async for tenants in _tenants(context):
        async with transaction(context.pool, tenants) as conn:
            (found,) = await conn.fetch(_SQL.progress, tenants)
        counts = {name: count + found[name] for name, count in counts.items()}
    return _status(row, counts)


async def hold(context: Context, new: HoldNew) -> RestoreStatus:
    """Send nothing from now on. Safe to repeat; a hold that stands keeps its time and cause."""
    await context.pool.execute(_SQL.hold, new.because)
    return await status(context)


async def reconcile(context: Context, new: ReconcileNew) -> RestoreStatus:
    """Begin to record what may have been sent in the lost time. Safe to repeat, and with a later end."""
    async with context.pool.acquire() as conn:
        now = await database_now(conn)
    for field, value in (("since", new.since), ("until", new.until)):
        if value is not None and value > now:
            raise InvalidFieldError(field, "lies ahead: what is lost lies in the past")
    if await context.pool.execute(_SQL.reconcile, new.since, new.until) != "UPDATE 1":
        raise ConflictError("not_held", "The database is not held: there is nothing to reconcile.")
    return await status(context)


async def take_evidence(context: Context, new: EvidenceNew) -> EvidenceTaken:
    """Settle unknown messages that somebody has seen: they were sent."""
    named = {message_id: text for text in new.message_ids if (message_id := _message_id(text)) is not None}
    proving = known = 0
    async for tenants in _tenants(context):
        async with transaction(context.pool, tenants) as conn:
            rows = await conn.fetch(_SQL.named, tenants, list(named))
        for row in rows:
            named.pop(row["message_id"])
        unknown = [row for row in rows if row["state"] == "unknown"]
        proving, known = proving + len(unknown), known + len(rows) - len(unknown)
        await _tell(context, unknown)
    missing = [text for text in new.message_ids if _message_id(text) is None] + list(named.values())
    return EvidenceTaken(
        proving=proving, known=known, not_found=len(missing), examples_not_found=tuple(missing[:_SHOWN])
    )


async def release(context: Context, new: ReleaseNew) -> RestoreStatus:
    """Let the database send. Unless nothing was lost, all must be recorded and every rule hold for every tenant.

    What is being recorded stays withheld, so that nothing was lost cannot be said any more.
    """
    standing = await context.pool.fetchrow(_SQL.standing)
    if standing is None or not standing["held"]:
        return await status(context)
    if new.nothing_lost and standing["recording"]:
        raise ConflictError(
            "reconciling", "Steps are being recorded as possibly sent: reconcile, and release without --nothing-lost."
        )
    if not new.nothing_lost:
        if standing["reconciling_at"] is None:
            raise ConflictError(
                "not_reconciled", "Run `postroad restore reconcile` first, or say that nothing was lost."
            )
        broken = [broken async for broken in _broken(context)]
        if broken:
            raise ConflictError(
                "not_verified",
                f"Rules do not hold for {len(broken)} tenants; try again when `postroad restore status` shows none "
                "waiting, and see `postroad verify`.",
                tenants=[one.model_dump(mode="json") for one in broken[:_SHOWN]],
            )
    if await context.pool.execute(_SQL.release, not new.nothing_lost) != "UPDATE 1":
        raise ConflictError(
            "changed_meanwhile", "The database was held anew meanwhile, or is being reconciled: look again."
        )
    _log.warning("the database is released", nothing_lost=new.nothing_lost)
    return await status(context)


async def _broken(context: Context) -> AsyncIterator[TenantBroken]:
    grace = timedelta(seconds=context.settings.verify_grace_seconds)
    async for tenants in _tenants(context):
        for tenant_id in tenants:
            async with Desk(context, tenant_id).work() as work:
                report = await proofs.verify(work, grace)
                (left,) = await work.conn.fetch(_SQL.progress, [tenant_id])
            rules = [result.rule for result in report.rules if result.count]
            if left["transmitting"]:
                rules.append("transmitting")
            if rules:
                yield TenantBroken(tenant_id=tenant_id, rules=tuple(rules))


async def _tenants(context: Context) -> AsyncIterator[list[UUID]]:
    """Pages of the tenants that ever enrolled anybody."""
    after = _FIRST
    while rows := await context.pool.fetch(_SQL.tenants, after, _TENANTS):
        tenants = [row["tenant_id"] for row in rows]
        yield tenants
        after = tenants[-1]


async def _tell(context: Context, rows: Sequence[Record]) -> None:
    """Tell the senders what is proved, by the outbox of each tenant."""
    by_tenant: dict[UUID, list[Record]] = {}
    for row in rows:
        by_tenant.setdefault(row["tenant_id"], []).append(row)
    for tenant_id, proved in by_tenant.items():
        items = [
            Evidence(message_id=row["message_id"], event_id=new_id(), kind="delivered", occurred_at=row["settled_at"])
            for row in proved
        ]
        async with Desk(context, tenant_id).work() as work:
            for start in range(0, len(items), _EVIDENCE_IN_A_MESSAGE):
                part = tuple(items[start : start + _EVIDENCE_IN_A_MESSAGE])
                await work.say(MessagesDeliveredV1(tenant_id=tenant_id, items=part))


def _message_id(text: str) -> UUID | None:
    """Our id in a Message-ID: what stands before the @."""
    local = text.strip("<> \t\r\n").partition("@")[0]
    try:
        return UUID(local) if len(local.replace("-", "")) == _HEX_DIGITS else None
    except ValueError:
        return None


def _status(row: Record | None, counts: Mapping[str, int]) -> RestoreStatus:
    assert row is not None  # noqa: S101 - the guard's begin() has written it
    return RestoreStatus.of(row, because=row["held_because"], advice=_advice(row, counts), **counts)


def _advice(row: Record, counts: Mapping[str, int]) -> str:
    """What to do next."""
    if not row["held"]:
        return "The database may send."
    if row["reconciling_at"] is None and row["recording"]:
        return "Nothing is sent: it was held anew before all was recorded. Go on with `postroad restore reconcile`."
    if row["reconciling_at"] is None:
        return (
            "Nothing is sent. If the database was restored: `postroad restore reconcile`. If nothing was lost, as "
            "after a failover to a synchronous standby: `postroad restore release --nothing-lost`."
        )
    if counts["waiting"] or counts["transmitting"]:
        return "What may have been sent is being recorded: ask again."
    return (
        "All that may have been sent is recorded. Give evidence if you have some (`postroad restore evidence FILE`), "
        "then `postroad restore release`."
    )
