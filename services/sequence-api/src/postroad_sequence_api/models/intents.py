"""What is wanted, and when it holds."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from postroad_sequence_api.models.base import Pick, View
from postroad_sequence_api.models.fields import Address


class IntentPick(Pick):
    """Which intents to list: those of a sequence hold those of its enrollments."""

    sequence_id: UUID | None = None
    enrollment_id: UUID | None = None
    sender_id: UUID | None = None
    email: Address | None = None


class Intent(View):
    """What was wanted of a sequence, of one of its enrollments, of a sender, or of an address: the one that is named.

    pause and stop are acknowledged once nothing of the subject begins any more; on_the_wire are the messages that were
    under way then, which nobody can call back. run lifts a pause, or a suppression. requested_by: an API key.
    """

    id: UUID
    intent: Literal["run", "pause", "stop"]
    sequence_id: UUID | None
    enrollment_id: UUID | None
    sender_id: UUID | None
    email: str | None
    requested_at: datetime
    requested_by: UUID | None
    acknowledged_at: datetime | None
    on_the_wire: tuple[UUID, ...]


class Stop(View):
    """A stop that holds: no send of its subject begins after acknowledged_at.

    on_the_wire are the messages that were under way then, which nobody can call back.
    """

    acknowledged_at: datetime
    """No send of its subject begins after this."""
    on_the_wire: tuple[UUID, ...]
    """The messages that were under way then, which nobody can call back."""
