"""Timelines: all that happened to a contact or an enrollment, in order, each with a sentence."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from postroad_sequence_api.models.base import View

EntryKind = Literal["enrolled", "decision", "attempt", "event", "stop", "intent", "ended"]


class Entry(View):
    """One thing that happened."""

    at: datetime
    kind: EntryKind
    enrollment_id: UUID | None
    step_key: str | None
    sentence: str
    facts: dict[str, Any]


class Timeline(View):
    """The newest 1,000 entries, oldest of them first; truncated: there were older ones."""

    items: tuple[Entry, ...]
    truncated: bool
    """There were older ones."""
