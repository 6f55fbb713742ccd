"""What the API answers, as far as the command and its users read it; fields that are not named here are passed over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """Frozen; a newer API may say more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Tenant(Model):
    """A tenant."""

    id: UUID
    name: str
    timezone: str


class ApiKey(Model):
    """A fresh API key: its secret is shown this once."""

    id: UUID
    key: str = Field(repr=False)


class TenantMade(Model):
    """A tenant and its first key."""

    tenant: Tenant
    api_key: ApiKey


class Contact(Model):
    """A contact."""

    id: UUID
    email: str
    external_id: str | None = None
    kind: str = "lead"
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    timezone: str | None = None
    attributes: dict[str, Any] = Field(default_factory=dict)


class AccountOfContact(Model):
    """The account that a contact belongs to."""

    id: UUID
    name: str


class Engagement(Model):
    """What a contact did, by person."""

    last_opened_at: datetime | None = None
    last_clicked_at: datetime | None = None
    last_replied_at: datetime | None = None
    opens: int = 0
    clicks: int = 0
    replies: int = 0


class ContactDetail(Contact):
    """A contact with its account, what it did, and why its address gets nothing."""

    account: AccountOfContact | None = None
    engagement: Engagement = Engagement()
    suppressed: tuple[str, ...] = ()


class ContactCount(Model):
    """How many contacts are meant; exact is false when there are at least so many."""

    count: int
    exact: bool


class JobProgress(Model):
    """How far a job is; total is None while it is not known."""

    done: int
    total: int | None
    unit: str


class JobError(Model):
    """Why a job failed."""

    code: str
    detail: str


class Job(Model):
    """Work that takes longer than a request: an import, a bulk enrollment, an export, an erasure."""

    id: UUID
    kind: str
    state: str
    progress: JobProgress
    counts: Mapping[str, int]
    error: JobError | None = None
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None

    def count(self, result: str) -> int:
        """How many had this result, such as created or rejected."""
        return self.counts.get(result, 0)


class Sender(Model):
    """A sender."""

    id: UUID
    name: str
    from_email: str
    host: str
    port: int
    security: str


class TemplateSummary(Model):
    """A template in a list."""

    id: UUID
    name: str
    version: int


class Template(TemplateSummary):
    """A template in its current version."""

    subject: str
    html: str
    text: str


class Step(Model):
    """A step of a sequence's version; template_version is null in a draft."""

    number: int
    key: str
    template_id: UUID
    template_version: int | None
    delay: str
    preferred_time: str | None
    thread: str


class SequenceSummary(Model):
    """A sequence in a list."""

    id: UUID
    name: str
    state: str
    active_version: int | None
    draft_version: int | None


class Sequence(SequenceSummary):
    """A sequence with the steps of its latest version: the draft if there is one."""

    version: int
    sender_id: UUID
    steps: tuple[Step, ...]


class Stop(Model):
    """A stop that holds since acknowledged_at, but for the messages on the wire."""

    acknowledged_at: datetime
    on_the_wire: tuple[UUID, ...]


class EnrollResult(Model):
    """What became of one contact."""

    contact_id: UUID
    result: str
    enrollment_id: UUID | None = None


class Enrolled(Model):
    """What became of a call to enroll; with `all` the counts are the answer."""

    version: int
    counts: Mapping[str, int]
    results: tuple[EnrollResult, ...]


class Enrollment(Model):
    """An enrollment."""

    id: UUID
    sequence_id: UUID
    version: int
    contact_id: UUID
    state: str
    phase: str | None
    created_at: datetime
    ended_at: datetime | None = None


class Reason(Model):
    """A rule that moved, holds or ended something."""

    kind: str
    sentence: str


class NextStep(Model):
    """The step that is next or in hand."""

    number: int
    key: str
    due_at: datetime
    send_before: datetime
    attempt: int


class Decision(Model):
    """A decision as it was taken."""

    decided_at: datetime
    outcome: str
    step_key: str
    attempt: int
    due_at: datetime | None
    reasons: tuple[Reason, ...]


class Explanation(Model):
    """What happens next to an enrollment, and why."""

    enrollment_id: UUID
    now: datetime
    state: str
    phase: str | None
    summary: str
    next: NextStep | None
    reasons: tuple[Reason, ...]
    blocked_by: tuple[Reason, ...] = ()
    decisions: tuple[Decision, ...] = ()


class Entry(Model):
    """One thing that happened."""

    at: datetime
    kind: str
    step_key: str | None
    sentence: str


class Timeline(Model):
    """What happened, in order."""

    items: tuple[Entry, ...]
    truncated: bool = False


class StepStats(Model):
    """The counts of a step; each message counts once in each."""

    key: str
    number: int | None
    due: int
    sent: int
    accepted: int
    refused: int
    unknown: int
    delivered: int
    opened: int
    clicked: int
    replied: int
    bounced: int
    complained: int
    unsubscribed: int


class EnrollmentCounts(Model):
    """How many enrollments are in each state."""

    total: int
    active: int
    paused: int
    completed: int
    replied: int
    bounced: int
    unenrolled: int
    failed: int
    needs_attention: int = 0

    @property
    def running(self) -> int:
        """Those that have not ended."""
        return self.active + self.paused


class SequenceStats(Model):
    """How a sequence does."""

    sequence_id: UUID
    enrollments: EnrollmentCounts
    steps: tuple[StepStats, ...]


class RuleResult(Model):
    """One rule of verify on live data; violations holds the ids of the first offending rows."""

    rule: str
    description: str
    count: int
    violations: tuple[Mapping[str, Any], ...]


class Verification(Model):
    """All rules of verify."""

    ok: bool
    rules: tuple[RuleResult, ...]


class ParkedMessage(Model):
    """A message out of retries."""

    message_id: str | None
    type: str | None
    attempt: int
    reason: str | None
    first_death_at: str | None
    body: Any


class ParkedQueue(Model):
    """The parking of one queue, its oldest messages shown."""

    queue: str
    depth: int
    messages: tuple[ParkedMessage, ...]


class RestoreStatus(Model):
    """Whether the database may send, and how far a restored one is reconciled."""

    held: bool
    because: str | None
    held_at: datetime | None
    last_beat_at: datetime | None
    lost_from: datetime | None
    lost_until: datetime | None
    reconciling_at: datetime | None
    released_at: datetime | None
    waiting: int
    transmitting: int
    may_have_been_sent: int
    advice: str


class EvidenceTaken(Model):
    """What Message-IDs prove."""

    proving: int
    known: int
    not_found: int
    examples_not_found: tuple[str, ...]


class WebhookSource(Model):
    """A webhook source; url is what the provider posts to. Credentials are shown once, when it is made."""

    id: UUID
    name: str
    esp: str
    url: str
    credentials: tuple[Mapping[str, str], ...] | None = Field(default=None, repr=False)


class Message(Model):
    """The ledger row of one step of one enrollment."""

    id: UUID
    enrollment_id: UUID
    contact_id: UUID
    step_key: str
    state: str
    recipient: str


class Event(Model):
    """A tracking event."""

    id: UUID
    type: str
    source: str
    message_id: UUID | None
    enrollment_id: UUID | None
    contact_id: UUID | None
    step_key: str | None
    bounce_type: str | None = None
    url: str | None = None
