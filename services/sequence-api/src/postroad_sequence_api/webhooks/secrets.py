"""The secrets of a subscription, sealed for its row."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from postroad_common.sealing import KeyRing

_PURPOSE: Final = "webhook-subscription"


def seal(keyring: KeyRing, tenant_id: UUID, subscription_id: UUID, secret: str) -> bytes:
    """A secret for the row of its subscription, readable in no other."""
    return keyring.seal(_PURPOSE, secret.encode(), context=_context(tenant_id, subscription_id))


def unseal(keyring: KeyRing, tenant_id: UUID, subscription_id: UUID, sealed: Sequence[bytes | None]) -> list[str]:
    """The secrets that are there. Raises SealError."""
    context = _context(tenant_id, subscription_id)
    return [keyring.open(_PURPOSE, one, context=context).decode() for one in sealed if one is not None]


def _context(tenant_id: UUID, subscription_id: UUID) -> bytes:
    return tenant_id.bytes + subscription_id.bytes
