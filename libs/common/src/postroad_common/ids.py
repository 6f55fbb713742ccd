"""Identifiers: new ones in time order, a message's own, and the reference that carries its tenant."""

import base64
import binascii
from typing import Final
from uuid import UUID, uuid5

from uuid_utils.compat import uuid7

from postroad_common.errors import RefError

_MESSAGES: Final = UUID("6f1c1b0e-5a0e-5d55-9b6e-6d0d3f0e7a11")
_REF_LENGTH: Final = 43


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): random, and later ones sort after earlier ones."""
    return uuid7()


def message_id_for(tenant_id: UUID, enrollment_id: UUID, step_key: str) -> UUID:
    """The one id of the message of a step: a UUIDv5, so every attempt by every process derives the same."""
    return uuid5(_MESSAGES, f"{tenant_id}/{enrollment_id}/{step_key}")


def pack_ref(tenant_id: UUID, id: UUID) -> str:  # noqa: A002 - the public name of the thing
    """Tenant and id as 43 characters of unpadded base64url: what outsiders hand back to us."""
    return base64.urlsafe_b64encode(tenant_id.bytes + id.bytes).rstrip(b"=").decode()


def unpack_ref(ref: str) -> tuple[UUID, UUID]:
    """(tenant id, id) of a reference; raises RefError for anything that pack_ref did not write."""
    if len(ref) != _REF_LENGTH:
        raise RefError("a reference has 43 characters")
    try:
        raw = base64.b64decode(ref + "=", altchars=b"-_", validate=True)
        tenant_id, id_ = UUID(bytes=raw[:16]), UUID(bytes=raw[16:])
    except (binascii.Error, ValueError) as error:
        raise RefError("a reference is base64url of 32 bytes") from error
    if pack_ref(tenant_id, id_) != ref:  # the last character has two spare bits: one spelling only
        raise RefError("a reference has one spelling")
    return tenant_id, id_
