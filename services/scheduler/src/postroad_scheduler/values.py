"""What the store gives and takes: rows as frozen values, changes as tuples in the order of their statement."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias
from uuid import UUID

from postroad_engine.facts import ContactView, Facts

Key: TypeAlias = tuple[UUID, UUID]
"""Tenant and enrollment."""

VersionKey: TypeAlias = tuple[UUID, UUID, int]
"""Tenant, sequence and version."""


class Progress(NamedTuple):
    """A progress row that has not ended, as lock_running and lock_due read it; reasons are JSON."""

    tenant_id: UUID
    enrollment_id: UUID
    state: str
    phase: str
    step_number: int
    step_key: str
    attempt: int
    emissions: int
    deferrals: int
    fence: int
    anchor_at: datetime
    next_due_at: datetime
    send_before: datetime
    wake_at: datetime
    reasons: str
    needs_attention_at: datetime | None

    @property
    def key(self) -> Key:
        """Tenant and enrollment."""
        return self.tenant_id, self.enrollment_id

    @property
    def asked(self) -> bool:
        """Whether the attempt was given to the senders and has no answer yet."""
        return self.emissions > 0


@dataclass(frozen=True, slots=True)
class Situation:
    """What bears on decisions over an enrollment, at `now` of the database."""

    tenant_id: UUID
    enrollment_id: UUID
    sequence_id: UUID
    version: int
    contact_id: UUID
    traceparent: str | None
    created_at: datetime
    contact: ContactView
    facts: Facts
    now: datetime

    @property
    def key(self) -> Key:
        """Tenant and enrollment."""
        return self.tenant_id, self.enrollment_id

    @property
    def version_key(self) -> VersionKey:
        """Tenant, sequence and version."""
        return self.tenant_id, self.sequence_id, self.version


class Beginning(NamedTuple):
    """The first progress of an enrollment; the fields are take_up's parameters."""

    tenant_id: UUID
    enrollment_id: UUID
    sequence_id: UUID
    version: int
    contact_id: UUID
    sender_id: UUID
    state: str
    phase: str
    step_number: int
    step_key: str
    anchor_at: datetime
    next_due_at: datetime
    send_before: datetime
    wake_at: datetime | None
    reasons: str
    traceparent: str | None
    needs_attention_at: datetime | None
    outcome: str
    inputs_hash: bytes

    @property
    def key(self) -> Key:
        """Tenant and enrollment."""
        return self.tenant_id, self.enrollment_id


class Change(NamedTuple):
    """What becomes of a progress row; the fields are apply's parameters. No outcome: no new decision."""

    tenant_id: UUID
    enrollment_id: UUID
    fence: int
    state: str
    phase: str
    step_number: int
    step_key: str
    attempt: int
    emissions: int
    deferrals: int
    anchor_at: datetime
    next_due_at: datetime
    send_before: datetime
    wake_at: datetime | None
    reasons: str
    needs_attention_at: datetime | None
    outcome: str | None
    inputs_hash: bytes | None


class Claimed(NamedTuple):
    """A row that the claim took; `emit` says that it is to be published, else it is to be decided on."""

    tenant_id: UUID
    enrollment_id: UUID
    emit: bool
    sender_id: UUID
    contact_id: UUID
    sequence_id: UUID
    version: int
    step_key: str
    step_number: int
    attempt: int
    emissions: int
    fence: int
    next_due_at: datetime
    send_before: datetime
    traceparent: str | None
    lag: timedelta
