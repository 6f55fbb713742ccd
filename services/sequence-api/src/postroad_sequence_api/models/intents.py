"""What is wanted, and when it holds."""

from datetime import datetime
from uuid import UUID

from postroad_sequence_api.models.base import View


class Stop(View):
    """A stop that holds: no send of its subject begins after acknowledged_at.

    on_the_wire are the messages that were under way then, which nobody can call back.
    """

    acknowledged_at: datetime
    """No send of its subject begins after this."""
    on_the_wire: tuple[UUID, ...]
    """The messages that were under way then, which nobody can call back."""
