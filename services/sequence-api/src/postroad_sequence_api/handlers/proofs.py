"""/v1/verify."""

from datetime import timedelta

from aiohttp import web

from postroad_sequence_api.http import answer, context_of, desk_of
from postroad_sequence_api.services import proofs


async def verify(request: web.Request) -> web.Response:
    """Prove the promises on the tenant's data, or name what breaks them."""
    context = context_of(request)
    grace = timedelta(seconds=context.settings.verify_grace_seconds)
    desk = desk_of(request)
    async with context.proofs.take(desk.tenant_id), desk.work() as work:
        return answer(await proofs.verify(work, grace))
