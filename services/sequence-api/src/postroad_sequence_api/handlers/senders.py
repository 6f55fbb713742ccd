"""/v1/senders."""

from uuid import UUID

from postroad_sequence_api.context import Context, Desk, Work
from postroad_sequence_api.models.base import Page, Pick
from postroad_sequence_api.models.senders import Sender, SenderChange, SenderNew, SenderPaused
from postroad_sequence_api.services import senders, stops


async def create(work: Work, context: Context, body: SenderNew) -> Sender:
    """Add a sender."""
    return await senders.create(work, body, context.keyring)


async def list_(work: Work, query: Pick) -> Page[Sender]:
    """List senders, oldest first."""
    return await senders.listed(work, query)


async def get(work: Work, sender_id: UUID) -> Sender:
    """Show a sender."""
    return await senders.get(work, sender_id)


async def change(work: Work, context: Context, sender_id: UUID, body: SenderChange) -> Sender:
    """Change a sender."""
    return await senders.change(work, sender_id, body, context.keyring)


async def pause(desk: Desk, sender_id: UUID) -> SenderPaused:
    """Pause a sender; answered when it holds."""
    stop = await stops.carry_out(desk, lambda work: senders.pause(work, sender_id))
    async with desk.work() as work:
        return SenderPaused.of(vars(await senders.get(work, sender_id)), stop=stop)


async def resume(work: Work, sender_id: UUID) -> Sender:
    """Resume a sender."""
    return await senders.resume(work, sender_id)
