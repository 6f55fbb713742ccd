"""/v1/verify."""

from datetime import timedelta

from postroad_sequence_api.context import Desk
from postroad_sequence_api.models.proofs import Verification
from postroad_sequence_api.services import proofs


async def verify(desk: Desk) -> Verification:
    """Prove the promises on the tenant's data, or name what breaks them."""
    grace = timedelta(seconds=desk.context.settings.verify_grace_seconds)
    async with desk.context.proofs.take(desk.tenant_id), desk.work() as work:
        return await proofs.verify(work, grace)
