"""A post as a subscription gets it: signed with its secrets, to its URL as far as that may be dialed now."""

import time
from dataclasses import dataclass
from uuid import UUID

import structlog

from postroad_common.errors import SealError
from postroad_common.sealing import KeyRing
from postroad_sequence_api.webhooks.posting import Answer, Poster
from postroad_sequence_api.webhooks.secrets import unseal
from postroad_sequence_api.webhooks.signing import signed

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Target:
    """A subscription as it is posted to. sealed: the secret, and the previous one while that signs too."""

    tenant_id: UUID
    subscription_id: UUID
    url: str
    sealed: tuple[bytes, bytes | None]


async def post_signed(poster: Poster, keyring: KeyRing, target: Target, event_id: UUID, body: bytes) -> Answer:
    """Post an event once; what keeps it from being posted is an answer too."""
    try:
        url = poster.reach.read(target.url)
        keys = unseal(keyring, target.tenant_id, target.subscription_id, target.sealed)
    except ValueError as error:  # the settings allow less than when it was registered
        return Answer(None, f"the URL {error}", "", 0.0)
    except SealError:
        _log.error("the secret of a webhook subscription cannot be opened", subscription=target.subscription_id)
        return Answer(None, "the secret cannot be read: rotate it", "", 0.0)
    # The receiver compares with its own clock, so this is the time of day and not the database's.
    return await poster.post(url, body, signed(str(event_id), int(time.time()), body, keys))
