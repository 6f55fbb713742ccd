"""A database that was restored: the hold, what was lost, and what is said of it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from postroad_sequence_api.models.base import Body, View
from postroad_sequence_api.models.fields import Moment, Name, one_line

MessageId = Annotated[str, Field(min_length=1, max_length=998), AfterValidator(one_line)]
"""A Message-ID, at most a header line long (RFC 5322 2.1.1)."""


class RestoreStatus(View):
    """Whether the database may send, and how far it is reconciled.

    `waiting`: steps that may have been sent and of which that is not recorded yet. `transmitting`: messages whose
    process is not yet known to have ended. `may_have_been_sent`: messages that are unknown because of a restore.
    """

    held: bool
    because: str | None
    held_at: datetime | None
    last_beat_at: datetime | None
    lost_from: datetime | None
    lost_until: datetime | None
    reconciling_at: datetime | None
    released_at: datetime | None
    waiting: int
    transmitting: int
    may_have_been_sent: int
    advice: str


class HoldNew(Body):
    """Why the database is held."""

    because: Name = "the operator said so"


class ReconcileNew(Body):
    """The time that was lost, where somebody knows better: the moment of the backup, and of the disaster."""

    since: Moment | None = None
    until: Moment | None = None


class EvidenceNew(Body):
    """Message-IDs that a mail server's log or a provider has seen, with or without angle brackets and domain."""

    message_ids: Annotated[tuple[MessageId, ...], Field(min_length=1, max_length=5000)]


class EvidenceTaken(View):
    """How many of the Message-IDs prove an unknown message, how many one that was known already, and the rest.

    A rest that is ours (32 hexadecimal digits) was sent for an enrollment that this database lost.
    """

    proving: int
    known: int
    not_found: int
    examples_not_found: tuple[str, ...]


class ReleaseNew(Body):
    """`nothing_lost`: the hold was a false alarm, such as a failover without loss; nothing need be reconciled.
    It is refused once reconciling has begun."""

    nothing_lost: bool = False


class TenantBroken(View):
    """Rules that do not hold for a tenant."""

    tenant_id: UUID
    rules: tuple[str, ...]
