"""Enrollments: who was enrolled and what is wanted of whom (by sequence-api), and who ended (by the scheduler)."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from postroad_common.contracts.base import Message, Part


class EnrollmentCreated(Part):
    """One contact enrolled."""

    enrollment_id: UUID
    contact_id: UUID
    traceparent: str | None = None


class EnrollmentsCreatedV1(Message):
    """Contacts were enrolled in one version of a sequence."""

    type: ClassVar[str] = "enrollments.created.v1"
    sequence_id: UUID
    version: int
    items: Annotated[tuple[EnrollmentCreated, ...], Field(min_length=1, max_length=500)]


class EnrollmentIntentChangedV1(Message):
    """The intent (run, pause, stop) of these enrollments changed; the rows say to what."""

    type: ClassVar[str] = "enrollments.intent_changed.v1"
    items: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=500)]


class SequenceStateChangedV1(Message):
    """A sequence was activated, paused, resumed or archived; its row says which."""

    type: ClassVar[str] = "sequences.state_changed.v1"
    sequence_id: UUID


class EnrollmentEnded(Part):
    """One enrollment that will not go on."""

    enrollment_id: UUID
    contact_id: UUID
    sequence_id: UUID
    version: int
    state: Literal["completed", "replied", "bounced", "unenrolled", "failed"]
    ended_at: datetime


class EnrollmentsEndedV1(Message):
    """Enrollments ended."""

    type: ClassVar[str] = "enrollments.ended.v1"
    items: Annotated[tuple[EnrollmentEnded, ...], Field(min_length=1, max_length=500)]
