"""The way of a step: due from the scheduler to the sender, settled back again."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from postroad_common.contracts.base import Message, Part

Outcome = Literal["accepted", "refused", "deferred", "held", "unknown", "cancelled"]


class StepDue(Part):
    """One step to send now. Everything rendered is read when it is sent, not carried here."""

    enrollment_id: UUID
    contact_id: UUID
    sequence_id: UUID
    version: int
    step_key: str
    step_number: int
    attempt: Annotated[int, Field(ge=1)]
    due_at: datetime
    send_before: datetime
    """Not sent by then: the scheduler decides anew."""
    traceparent: str | None = None


class StepsDueV1(Message):
    """Steps of one tenant and one sender that are due."""

    type: ClassVar[str] = "steps.due.v1"
    sender_id: UUID
    items: Annotated[tuple[StepDue, ...], Field(min_length=1, max_length=50)]


class StepSettled(Part):
    """What became of one attempt of one step."""

    enrollment_id: UUID
    step_key: str
    attempt: Annotated[int, Field(ge=1)]
    outcome: Outcome
    settled_at: datetime
    reasons: tuple[dict[str, Any], ...] = ()
    bounce_type: Literal["hard", "soft", "undetermined"] | None = None
    retry_after: float | None = None
    """Seconds that the server or the sender asked to wait, when it said."""
    traceparent: str | None = None


class StepsSettledV1(Message):
    """Attempts of one tenant that have an outcome."""

    type: ClassVar[str] = "steps.settled.v1"
    items: Annotated[tuple[StepSettled, ...], Field(min_length=1, max_length=500)]
