"""Sequences, their versions and steps."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from postroad_sequence_api.models.base import Body, Pick, Query, View
from postroad_sequence_api.models.fields import Name, Span, StepKey, WallTime, said
from postroad_sequence_api.models.intents import Stop

SequenceState = Literal["draft", "active", "paused", "archived"]
Thread = Literal["new", "reply"]


SequenceName = Annotated[Name, said(examples=["Onboarding"])]


class StepSpec(Body):
    """A step: after the delay, at the preferred time if there is one, this template.

    key is the step's name across versions: what was sent under a key is not sent again. Without one: step-<number>.
    """

    key: StepKey | None = None
    """Its name across versions: what was sent under a key is not sent again. null: step-<number>."""
    kind: Literal["email"] = "email"
    template_id: UUID
    delay: Span
    preferred_time: WallTime | None = None
    thread: Thread = "new"
    """reply: in the conversation of the step before."""


class SequenceNew(Body):
    """A sequence to draft."""

    name: SequenceName
    sender_id: UUID
    steps: Annotated[tuple[StepSpec, ...], Field(max_length=100)]


class SequenceChange(Body):
    """The whole draft of a sequence anew: edited while there is one, else made as the next version."""

    name: SequenceName | None = None
    """Null: it keeps its name."""
    sender_id: UUID
    steps: Annotated[tuple[StepSpec, ...], Field(max_length=100)]


class SequenceCloneNew(Body):
    """How to clone: under which name (else "<name> (copy)"), from which version (else the draft, or the latest)."""

    name: Name | None = None
    version: Annotated[int, Field(ge=1, le=999_999_999)] | None = None


class DiffPick(Query):
    """What to compare a version with: another version of the sequence; else the one before it."""

    against: Annotated[int, Field(ge=1, le=999_999_999)] | None = None


class SequencePick(Pick):
    """Which sequences to list."""

    state: SequenceState | None = None


class ArchiveNew(Body):
    """How to archive: stop_running ends the enrollments that still run; without it they forbid it."""

    stop_running: bool = False
    """End the enrollments that still run; without it they forbid to archive."""


class Step(View):
    """A step of a version. template_version is pinned when the version is activated."""

    number: int
    key: str
    kind: Literal["email"]
    template_id: UUID
    template_version: int | None
    """Pinned when the version is activated."""
    delay: Span
    preferred_time: WallTime | None
    thread: Thread


class SequenceSummary(View):
    """A sequence in a list."""

    id: UUID
    name: str
    state: SequenceState
    active_version: int | None
    draft_version: int | None
    revision: int
    created_at: datetime
    updated_at: datetime


class Sequence(SequenceSummary):
    """A sequence with the steps of its latest version: the draft if there is one."""

    version: int
    sender_id: UUID
    steps: tuple[Step, ...]


class SequencePaused(Sequence):
    """A sequence after its pause."""

    stop: Stop


class SequenceArchived(SequencePaused):
    """A sequence after it was archived, with the number of enrollments that this ends."""

    stopped_enrollments: int


class VersionSummary(View):
    """A version in a list."""

    version: int
    sender_id: UUID
    created_at: datetime
    activated_at: datetime | None
    step_count: int


class Version(View):
    """A version of a sequence. With activated_at it never changes."""

    sequence_id: UUID
    version: int
    sender_id: UUID
    created_at: datetime
    activated_at: datetime | None
    steps: tuple[Step, ...]


class FieldChange(View):
    """A field that differs. before and after are as the version shows them."""

    field: str
    before: str | int | None
    after: str | int | None


class StepChange(View):
    """A step that was added, removed or changed, by its key."""

    key: str
    change: Literal["added", "removed", "changed"]
    fields: tuple[FieldChange, ...]


class VersionDiff(View):
    """What a version changes against another one; against null: against nothing, it is the first."""

    sequence_id: UUID
    version: int
    against: int | None
    fields: tuple[FieldChange, ...]
    steps: tuple[StepChange, ...]


def step_key(spec: StepSpec, number: int) -> str:
    """The key that a step was given, or the one that its number gives it."""
    return spec.key or f"step-{number}"
