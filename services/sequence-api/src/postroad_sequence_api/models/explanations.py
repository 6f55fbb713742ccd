"""Explanations: what happens next, when, and why."""

from datetime import datetime
from typing import Any
from uuid import UUID

from postroad_sequence_api.models.base import View


class Reason(View):
    """A reason: for programs its kind and values, for people a sentence."""

    kind: str
    """For programs."""
    sentence: str
    """For people."""
    facts: dict[str, Any]
    """The values in the sentence."""


class NextStep(View):
    """The step that is next or in hand."""

    number: int
    key: str
    due_at: datetime
    send_before: datetime
    attempt: int


class PastDecision(View):
    """A decision as it was taken."""

    decided_at: datetime
    outcome: str
    step_key: str
    attempt: int
    due_at: datetime | None
    reasons: tuple[Reason, ...]


class Explanation(View):
    """What happens next to an enrollment, and each rule that moved or holds it.

    next is null when it has ended or was not taken up yet. blocked_by: what must change before it could be sent now.
    """

    enrollment_id: UUID
    now: datetime
    state: str
    phase: str | None
    summary: str
    next: NextStep | None
    """Null: it has ended, or was not taken up yet."""
    looks_again_at: datetime | None
    reasons: tuple[Reason, ...]
    blocked_by: tuple[Reason, ...]
    """What must change before it could be sent now."""
    decisions: tuple[PastDecision, ...]
