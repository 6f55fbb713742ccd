"""The counts of a sequence."""

from uuid import UUID

from postroad_sequence_api.models.base import View


class StepStats(View):
    """The counts of a step, over all versions that hold its key; each message counts once in each column.

    due: has a ledger row. sent: accepted or unknown, as the sequence goes on from either. bounced: refused as
    undeliverable, or returned later. What the ESP says that a program opened or clicked is not counted.
    """

    key: str
    number: int | None
    due: int
    transmitting: int
    held: int
    deferred: int
    sent: int
    accepted: int
    refused: int
    unknown: int
    cancelled: int
    delivered: int
    opened: int
    clicked: int
    replied: int
    bounced: int
    complained: int
    unsubscribed: int


class EnrollmentCounts(View):
    """How many enrollments are in each state."""

    total: int
    active: int
    paused: int
    completed: int
    replied: int
    bounced: int
    unenrolled: int
    failed: int
    needs_attention: int


class SequenceStats(View):
    """How a sequence does."""

    sequence_id: UUID
    enrollments: EnrollmentCounts
    steps: tuple[StepStats, ...]
