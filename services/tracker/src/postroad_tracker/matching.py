"""Which message an event is about: our own reference first, then Message-IDs of ours, then the provider's id."""

from dataclasses import dataclass
from uuid import UUID

from postroad_common.errors import RefError
from postroad_common.ids import unpack_ref
from postroad_tracker.events import EventType, NormalisedEvent


@dataclass(frozen=True, slots=True)
class Claim:
    """What an event says of its message, before the ledger has been asked."""

    message_ids: tuple[UUID, ...] = ()
    """Ids in the tenant of the source, best first."""
    foreign: bool = False
    """It names a message of another tenant: it is kept, and is about nobody here."""


def claim(tenant_id: UUID, event: NormalisedEvent) -> Claim:
    """Read the references of an event that came through a source of this tenant."""
    named = [event.message_ref] if event.message_ref else []
    named += [_local_part(message_id) for message_id in event.in_reply_to]
    found: dict[UUID, None] = {}
    for name in named:
        match _read(name):
            case (UUID() as owner, UUID() as message_id):
                if owner != tenant_id:
                    return Claim(foreign=True)
                found[message_id] = None
            case UUID() as message_id:
                found[message_id] = None
            case None:
                pass
    return Claim(tuple(found))


def contact_address(event: NormalisedEvent, claim: Claim) -> str | None:
    """The address that the event is about, if it may speak for it: anyone can write a From."""
    if claim.foreign or event.type in (EventType.REPLIED, EventType.AUTORESPONDED):
        return None
    return event.recipient


def _local_part(message_id: str) -> str:
    return message_id.strip("<> ").partition("@")[0]


def _read(name: str) -> tuple[UUID, UUID] | UUID | None:
    """A reference of ours, or a bare message id, which is then one of this tenant."""
    try:
        return unpack_ref(name)
    except RefError:
        pass
    try:
        return UUID(name) if len(name) in (32, 36) else None
    except ValueError:
        return None
