"""/v1/operator/restore."""

from postroad_sequence_api.context import Context
from postroad_sequence_api.models.restore import (
    EvidenceNew,
    EvidenceTaken,
    HoldNew,
    ReconcileNew,
    ReleaseNew,
    RestoreStatus,
)
from postroad_sequence_api.services import installation

_HOLD, _ALL, _RECONCILED = HoldNew(), ReconcileNew(), ReleaseNew()


async def status(context: Context) -> RestoreStatus:
    """Say whether the database may send."""
    return await installation.status(context)


async def hold(context: Context, body: HoldNew = _HOLD) -> RestoreStatus:
    """Send nothing more."""
    return await installation.hold(context, body)


async def reconcile(context: Context, body: ReconcileNew = _ALL) -> RestoreStatus:
    """Record what may have been sent before the restore."""
    return await installation.reconcile(context, body)


async def evidence(context: Context, body: EvidenceNew) -> EvidenceTaken:
    """Take Message-IDs that were seen."""
    return await installation.take_evidence(context, body)


async def release(context: Context, body: ReleaseNew = _RECONCILED) -> RestoreStatus:
    """Let the database send again."""
    return await installation.release(context, body)
