"""Replies, bounces, complaints and unsubscribes end what runs."""

from collections.abc import Sequence
from uuid import UUID

from postroad_common.contracts import Signal
from postroad_common.db import transaction
from postroad_engine.reasons import StopKind
from postroad_scheduler.context import Context
from postroad_scheduler.reconsidering import reconsider
from postroad_scheduler.store import progress as store


async def stop_enrollments(context: Context, tenant_id: UUID, signals: Sequence[Signal], stop: StopKind) -> None:
    """End the enrollments that the signals are about. One that has ended stays as it ended."""
    keys = [(tenant_id, signal.enrollment_id) for signal in signals if signal.enrollment_id is not None]
    await reconsider(context, keys, dict.fromkeys(keys, stop))


async def stop_contacts(context: Context, tenant_id: UUID, signals: Sequence[Signal], stop: StopKind) -> None:
    """End every running enrollment of the contacts that the signals are about."""
    contacts = {signal.contact_id for signal in signals if signal.contact_id is not None}
    if contacts:
        async with transaction(context.pool, tenant_id) as conn:
            keys = await store.running_of_contacts(conn, tenant_id, list(contacts))
        await reconsider(context, keys, dict.fromkeys(keys, stop))
    await stop_enrollments(context, tenant_id, [signal for signal in signals if signal.contact_id is None], stop)
