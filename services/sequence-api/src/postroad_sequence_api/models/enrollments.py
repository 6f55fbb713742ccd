"""Enrollments: a contact on its way through a version of a sequence."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field

from postroad_sequence_api.models.base import Body, Choice, Pick, View
from postroad_sequence_api.models.contacts import Filter
from postroad_sequence_api.models.fields import EXAMPLE_ID
from postroad_sequence_api.models.intents import Stop

State = Literal["active", "paused", "completed", "replied", "bounced", "unenrolled", "failed"]
Intent = Literal["run", "pause", "stop"]
Result = Literal["enrolled", "already_active", "suppressed", "unknown"]


class EnrollNew(Body):
    """Whom to enroll: up to 1,000 contacts by id. More are a job."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"contact_ids": [EXAMPLE_ID]}]})

    contact_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=1000)]


def _no_number(value: object) -> object:
    """1 equals True in Python, and in JSON it does not."""
    return value if isinstance(value, bool) else None


class EnrollMany(Choice):
    """Whom to enroll: exactly one of these."""

    all: Annotated[Literal[True], BeforeValidator(_no_number)] = True
    """Every contact that there is now."""
    filter: Filter = ""
    """Those of them whom a filter means when their turn comes; its times are counted from now."""
    contact_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=10_000)] = ()
    """These, up to 10,000."""


class EnrollResult(View):
    """What became of one contact; enrollment_id is the new one, or the one that is already active."""

    contact_id: UUID
    result: Result
    enrollment_id: UUID | None
    """The new one, or the one that is already active."""


class EnrollCounts(View):
    """How many contacts got each result."""

    enrolled: int = 0
    already_active: int = 0
    suppressed: int = 0
    unknown: int = 0


class Enrolled(View):
    """What became of each contact named, and the counts."""

    sequence_id: UUID
    version: int
    counts: EnrollCounts
    results: tuple[EnrollResult, ...]


class EnrollmentPick(Pick):
    """Which enrollments to list."""

    sequence_id: UUID | None = None
    contact_id: UUID | None = None
    state: State | None = None


class Enrollment(View):
    """An enrollment: what is wanted of it (intent) and where it is.

    phase is null until the scheduler has taken it up; ended_at is the time of the final state.
    """

    id: UUID
    sequence_id: UUID
    version: int
    contact_id: UUID
    intent: Intent
    """What is wanted of it."""
    intent_at: datetime
    state: State
    """Where it is."""
    phase: Literal["waiting", "claimed", "in_flight", "held", "ended"] | None
    """Where the step in hand is; null: the scheduler has not taken the enrollment up yet."""
    step_number: int | None
    step_key: str | None
    attempt: int | None
    next_due_at: datetime | None
    needs_attention_at: datetime | None
    paused_at: datetime | None
    ended_at: datetime | None
    """The time of the final state."""
    created_at: datetime


class EnrollmentStopped(Enrollment):
    """An enrollment after its pause or stop."""

    stop: Stop
