"""A sequence changed its state.

A pause needs nothing here: what comes due is held when it is claimed, and the sender looks again before it sends. A
resume releases what was held meanwhile; an archived sequence ends whatever runs.
"""

from typing import Final
from uuid import UUID

from postroad_common.db import transaction
from postroad_engine.reasons import SequenceState
from postroad_scheduler.context import Context
from postroad_scheduler.reconsidering import CHUNK, reconsider
from postroad_scheduler.store import reconcile as store

_FIRST: Final = UUID(int=0)


async def on_sequence_changed(context: Context, tenant_id: UUID, sequence_id: UUID) -> None:
    """Decide anew over the enrollments that the sequence's present state moves, in chunks."""
    async with transaction(context.pool, tenant_id) as conn:
        state = await store.sequence_state(conn, tenant_id, sequence_id)
    match state:
        case SequenceState.ACTIVE:
            page = store.held_of_sequence
        case SequenceState.ARCHIVED:
            page = store.running_of_sequence
        case _:
            return
    last = _FIRST
    while True:
        async with transaction(context.pool, tenant_id) as conn:
            enrollments = await page(conn, tenant_id, sequence_id, after=last, limit=CHUNK)
        if not enrollments:
            return
        await reconsider(context, [(tenant_id, id_) for id_ in enrollments])
        last = enrollments[-1]
