"""What the API answers and posts, written from docs/openapi.json by `make docs`.

Frozen. Fields that are not known here are passed over, and choices may have other values: a newer API may say more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """What models have in common; each is made ready when it is first used."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


ApiKeyRole: TypeAlias = Literal["owner", "editor", "viewer"]
ApiKeyScope: TypeAlias = Literal[
    "accounts:read",
    "accounts:write",
    "analytics:read",
    "analytics:write",
    "api-keys:read",
    "api-keys:write",
    "attributes:read",
    "attributes:write",
    "contacts:read",
    "contacts:write",
    "enrollments:read",
    "enrollments:write",
    "events:read",
    "events:write",
    "jobs:read",
    "jobs:write",
    "intents:read",
    "intents:write",
    "messages:read",
    "messages:write",
    "senders:read",
    "senders:write",
    "sequences:read",
    "sequences:write",
    "suppressions:read",
    "suppressions:write",
    "templates:read",
    "templates:write",
    "tenants:read",
    "tenants:write",
    "verify:read",
    "verify:write",
    "webhook-deliveries:read",
    "webhook-deliveries:write",
    "webhook-sources:read",
    "webhook-sources:write",
    "webhook-subscriptions:read",
    "webhook-subscriptions:write",
]
AttemptOutcome: TypeAlias = Literal["held", "deferred", "accepted", "refused", "unknown", "cancelled"]
AttributeEntity: TypeAlias = Literal["contact", "account"]
AttributeType: TypeAlias = Literal["text", "number", "boolean", "date", "datetime"]
ContactColumn: TypeAlias = Literal[
    "email", "external_id", "first_name", "last_name", "company", "kind", "timezone", "account_external_id"
]
ContactDelimiter: TypeAlias = Literal["comma", "semicolon", "tab", "pipe"]
ContactEncoding: TypeAlias = Literal[
    "utf-8", "utf-16", "windows-1250", "windows-1251", "windows-1252", "iso-8859-2", "iso-8859-15"
]
ContactExportColumn: TypeAlias = Literal[
    "contact_id",
    "email",
    "external_id",
    "first_name",
    "last_name",
    "company",
    "kind",
    "timezone",
    "account_external_id",
    "created_at",
    "updated_at",
]
ContactKind: TypeAlias = Literal["lead", "party"]
EnrollmentIntent: TypeAlias = Literal["run", "pause", "stop"]
EnrollmentPhase: TypeAlias = Literal["waiting", "claimed", "in_flight", "held", "ended"]
EnrollmentState: TypeAlias = Literal["active", "paused", "completed", "replied", "bounced", "unenrolled", "failed"]
EntryKind: TypeAlias = Literal["enrolled", "decision", "attempt", "event", "stop", "intent", "ended"]
EventBounceType: TypeAlias = Literal["hard", "soft", "undetermined"]
EventType: TypeAlias = Literal[
    "queued",
    "sent",
    "rejected",
    "failed",
    "bounced",
    "deferred",
    "delivered",
    "autoresponded",
    "opened",
    "clicked",
    "complained",
    "unsubscribed",
    "subscribed",
    "replied",
    "unknown",
]
JobKind: TypeAlias = Literal["import", "enroll", "export", "erase"]
JobState: TypeAlias = Literal["queued", "running", "completed", "failed", "cancelled"]
MessageState: TypeAlias = Literal["transmitting", "held", "deferred", "accepted", "refused", "unknown", "cancelled"]
SenderEsp: TypeAlias = Literal["smtp", "sendgrid", "postmark"]
SenderSecurity: TypeAlias = Literal["none", "starttls", "tls"]
SequenceState: TypeAlias = Literal["draft", "active", "paused", "archived"]
SettlementOutcome: TypeAlias = Literal["sent", "not_sent"]
StepThread: TypeAlias = Literal["new", "reply"]
SuppressionKind: TypeAlias = Literal["manual", "bounced", "complained", "unsubscribed", "replied"]
WebhookDeliveryState: TypeAlias = Literal["pending", "in_flight", "delivered", "dead"]
WebhookSourceEsp: TypeAlias = Literal["sendgrid", "postmark"]
WebhookSubscriptionDisabledReason: TypeAlias = Literal["manual", "failing", "gone"]
WebhookSubscriptionEventType: TypeAlias = Literal[
    "message.accepted",
    "message.refused",
    "message.unknown",
    "message.cancelled",
    "message.delivered",
    "message.deferred",
    "message.bounced",
    "message.rejected",
    "message.failed",
    "message.opened",
    "message.clicked",
    "message.replied",
    "message.autoresponded",
    "message.complained",
    "message.unsubscribed",
    "enrollment.created",
    "enrollment.completed",
    "enrollment.replied",
    "enrollment.bounced",
    "enrollment.unenrolled",
    "enrollment.failed",
    "contact.erased",
    "job.completed",
    "job.failed",
    "job.cancelled",
    "webhook.disabled",
]


class Account(Model):
    """An account. A contact of it whose own company is blank shows the account's name in mails."""

    id: UUID
    name: str
    domain: str | None
    external_id: str | None
    attributes: Mapping[str, str | bool | int | float | None]
    revision: int
    created_at: datetime
    updated_at: datetime


class AccountOfContact(Model):
    """The account that a contact belongs to."""

    id: UUID
    name: str
    domain: str | None
    external_id: str | None


class ApiKey(Model):
    """An API key without its secret. last_used_at is to the minute."""

    id: UUID
    name: str
    role: ApiKeyRole | str
    scopes: tuple[str, ...] | None
    """What the key may of what its role may; null: all."""
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    """To the minute."""
    revoked_at: datetime | None


class Attempt(Model):
    """One hand-over that was begun or settled."""

    attempt: int
    outcome: AttemptOutcome | str
    transmitting_at: datetime | None
    gated_at: datetime | None
    settled_at: datetime
    reasons: tuple[str, ...]
    reply_code: int | None
    reply_status: str | None
    reply_text: str | None


class Attribute(Model):
    """A custom attribute. indexing: its index is being filled, and filters do not use it yet."""

    id: UUID
    entity: AttributeEntity | str
    name: str
    type: AttributeType | str
    description: str
    indexed: bool
    indexing: bool
    archived_at: datetime | None
    revision: int
    created_at: datetime
    updated_at: datetime


class BounceData(Model):
    """A message that was not delivered; hard: the address is dead."""

    message_id: UUID | None
    contact_id: UUID | None
    enrollment_id: UUID | None
    sequence_id: UUID | None
    step_key: str | None
    bounce_type: EventBounceType | str | None


class ClickData(Model):
    """A link that was followed."""

    message_id: UUID | None
    contact_id: UUID | None
    enrollment_id: UUID | None
    sequence_id: UUID | None
    step_key: str | None
    machine: bool
    url: str | None


class Contact(Model):
    """A contact."""

    id: UUID
    email: str
    external_id: str | None
    first_name: str
    last_name: str
    company: str
    kind: ContactKind | str
    timezone: str | None
    account_id: UUID | None
    attributes: Mapping[str, str | bool | int | float | None]
    revision: int
    created_at: datetime
    updated_at: datetime


class ContactBatchResult(Model):
    """What became of an item: the field at fault and the reason when it was rejected."""

    result: Literal["created", "updated", "unchanged", "rejected"] | str
    contact_id: UUID | None = None
    field: str | None = None
    reason: str | None = None


class ContactCount(Model):
    """How many contacts are meant. exact is false when counting ended at 10,000: there are at least so many."""

    count: int
    exact: bool


class ContactData(Model):
    """A contact."""

    contact_id: UUID


class Engagement(Model):
    """What a contact did, by person: opens and clicks that a provider takes for a program's do not count."""

    last_opened_at: datetime | None
    last_clicked_at: datetime | None
    last_replied_at: datetime | None
    opens: int
    clicks: int
    replies: int


class Counts(Model):
    """Messages; each counts once in each column, however often it was opened.

    sent: accepted by the mail server, or unknown. attempted: these and what it refused as undeliverable. bounced:
    refused as undeliverable, or returned later. arrived: sent and not returned. delivered: as the provider reports,
    which not all do. opened, clicked: by a person; machine_opened, machine_clicked: by programs only, as the
    provider says.
    """

    attempted: int
    sent: int
    arrived: int
    delivered: int
    opened: int
    machine_opened: int
    clicked: int
    machine_clicked: int
    replied: int
    bounced: int
    complained: int
    unsubscribed: int
    open_rate: float | None
    """Of those that arrived."""
    click_rate: float | None
    """Of those that arrived."""
    reply_rate: float | None
    """Of those that arrived."""
    complaint_rate: float | None
    """Of those that arrived."""
    unsubscribe_rate: float | None
    """Of those that arrived."""
    bounce_rate: float | None
    """Of those that were attempted."""
    delivery_rate: float | None
    """Of those that were sent; null while the provider reports no deliveries."""


class CredentialsShown(Model):
    """Name and password with which the ESP is to log in."""

    username: str
    password: str = Field(repr=False)


class EngagementData(Model):
    """Something that was done with a message; machine: the provider says by a program, such as a mail scanner."""

    message_id: UUID | None
    contact_id: UUID | None
    enrollment_id: UUID | None
    sequence_id: UUID | None
    step_key: str | None
    machine: bool


class EnrollCounts(Model):
    """How many contacts got each result."""

    enrolled: int = 0
    already_active: int = 0
    suppressed: int = 0
    unknown: int = 0


class EnrollResult(Model):
    """What became of one contact; enrollment_id is the new one, or the one that is already active."""

    contact_id: UUID
    result: Literal["enrolled", "already_active", "suppressed", "unknown"] | str
    enrollment_id: UUID | None
    """The new one, or the one that is already active."""


class Enrollment(Model):
    """An enrollment: what is wanted of it (intent) and where it is.

    phase is null until the scheduler has taken it up; ended_at is the time of the final state.
    """

    id: UUID
    sequence_id: UUID
    version: int
    contact_id: UUID
    intent: EnrollmentIntent | str
    """What is wanted of it."""
    intent_at: datetime
    state: EnrollmentState | str
    """Where it is."""
    phase: EnrollmentPhase | str | None
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


class EnrollmentData(Model):
    """An enrollment."""

    enrollment_id: UUID
    contact_id: UUID
    sequence_id: UUID
    version: int


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
    needs_attention: int


class Stop(Model):
    """A stop that holds: no send of its subject begins after acknowledged_at.

    on_the_wire are the messages that were under way then, which nobody can call back.
    """

    acknowledged_at: datetime
    """No send of its subject begins after this."""
    on_the_wire: tuple[UUID, ...]
    """The messages that were under way then, which nobody can call back."""


class Entry(Model):
    """One thing that happened."""

    at: datetime
    kind: EntryKind | str
    enrollment_id: UUID | None
    step_key: str | None
    sentence: str
    facts: Mapping[str, Any]


class Event(Model):
    """A tracking event. The ids are null as long as its message is not known."""

    id: UUID
    cursor: str
    """What to give as `after` to get the events behind this one."""
    type: EventType | str
    received_at: datetime
    occurred_at: datetime
    source: str
    message_id: UUID | None
    enrollment_id: UUID | None
    contact_id: UUID | None
    sequence_id: UUID | None
    step_key: str | None
    bounce_type: EventBounceType | str | None
    detail: str | None
    url: str | None
    machine: bool
    """By the ESP's word no person did it."""


class EvidenceTaken(Model):
    """How many of the Message-IDs prove an unknown message, how many one that was known already, and the rest.

    A rest that is ours (32 hexadecimal digits) was sent for an enrollment that this database lost.
    """

    proving: int
    known: int
    not_found: int
    examples_not_found: tuple[str, ...]


class NextStep(Model):
    """The step that is next or in hand."""

    number: int
    key: str
    due_at: datetime
    send_before: datetime
    attempt: int


class Reason(Model):
    """A reason: for programs its kind and values, for people a sentence."""

    kind: str
    """For programs."""
    sentence: str
    """For people."""
    facts: Mapping[str, Any]
    """The values in the sentence."""


class FieldChange(Model):
    """A field that differs. before and after are as the version shows them."""

    field: str
    before: str | int | None
    after: str | int | None


class Intent(Model):
    """What was wanted of a sequence, of one of its enrollments, of a sender, or of an address: the one that is named.

    pause and stop are acknowledged once nothing of the subject begins any more; on_the_wire are the messages that
    were under way then, which nobody can call back. run lifts a pause, or a suppression. requested_by: an API key.
    """

    id: UUID
    intent: EnrollmentIntent | str
    sequence_id: UUID | None
    enrollment_id: UUID | None
    sender_id: UUID | None
    email: str | None
    requested_at: datetime
    requested_by: UUID | None
    acknowledged_at: datetime | None
    on_the_wire: tuple[UUID, ...]


class JobError(Model):
    """Why a job failed."""

    code: str
    detail: str


class JobProgress(Model):
    """How far a job is. total is null while it is not known."""

    done: int
    total: int | None
    unit: Literal["bytes", "contacts"] | str


class JobData(Model):
    """A job; counts holds how many had which result, error_code why it failed."""

    job_id: UUID
    kind: JobKind | str
    counts: Mapping[str, int]
    error_code: str | None


class Tenant(Model):
    """A tenant."""

    id: UUID
    name: str
    timezone: str
    postal_address: str
    revision: int
    created_at: datetime


class Message(Model):
    """The ledger row of one step of one enrollment."""

    id: UUID
    enrollment_id: UUID
    sequence_id: UUID
    version: int
    step_number: int
    step_key: str
    contact_id: UUID
    sender_id: UUID
    template_id: UUID | None
    template_version: int | None
    state: MessageState | str
    attempt: int
    recipient: str
    subject: str | None
    rfc_message_id: str
    provider_message_id: str | None
    due_at: datetime
    transmitting_at: datetime | None
    """When its hand-over was begun."""
    gated_at: datetime | None
    """When stops and suppressions were looked at for the last time before it."""
    settled_at: datetime | None
    reasons: tuple[str, ...]
    bounce_type: EventBounceType | str | None
    reply_code: int | None
    reply_status: str | None
    reply_text: str | None
    created_at: datetime


class MessageData(Model):
    """A message. Events that came from outside and found no message of ours may know the contact alone."""

    message_id: UUID | None
    contact_id: UUID | None
    enrollment_id: UUID | None
    sequence_id: UUID | None
    step_key: str | None


class ParkedMessage(Model):
    """A parked message: the original, and why it lies there. body is its JSON, or its text if it is none."""

    message_id: str
    type: str
    attempt: int
    reason: str
    error: str
    first_death_at: str | None
    parked_at: str | None
    correlation_id: str | None
    body: Any
    """Its JSON, or its text if it is none."""


class PausedByUs(Model):
    """That the sending service paused a sender by itself, why, and when it tries again."""

    paused_at: datetime
    retry_at: datetime
    reasons: tuple[str, ...]


class Preview(Model):
    """A template as a contact would get it, links and pixel untouched."""

    subject: str
    html: str
    text: str


class Replayed(Model):
    """How many parked messages went back."""

    queue: str
    replayed: int


class RestoreStatus(Model):
    """Whether the database may send, and how far it is reconciled.

    `waiting`: steps that may have been sent and of which that is not recorded yet. `transmitting`: messages whose
    process is not yet known to have ended. `may_have_been_sent`: messages that are unknown because of a restore.
    """

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


class RuleResult(Model):
    """One rule on live data. violations holds the ids of the first 100 offending rows; count is of all."""

    rule: str
    description: str
    count: int
    violations: tuple[Mapping[str, Any], ...]
    """The ids of the first 100 offending rows."""


class SequenceSummary(Model):
    """A sequence in a list."""

    id: UUID
    name: str
    state: SequenceState | str
    active_version: int | None
    draft_version: int | None
    revision: int
    created_at: datetime
    updated_at: datetime


class Step(Model):
    """A step of a version. template_version is pinned when the version is activated."""

    number: int
    key: str
    kind: Literal["email"] | str
    template_id: UUID
    template_version: int | None
    """Pinned when the version is activated."""
    delay: str
    """Days, hours, minutes or seconds."""
    preferred_time: str | None
    thread: StepThread | str


class StepStats(Model):
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


class Settlement(Model):
    """What somebody said of a message, on its way to the ledger."""

    message_id: UUID
    outcome: SettlementOutcome | str
    because: str
    requested_by: UUID | None
    """The API key."""
    requested_at: datetime


class SubscriptionData(Model):
    """A webhook subscription that was disabled by us; failing: nothing was accepted for days; gone: it said 410."""

    subscription_id: UUID
    url: str
    reason: Literal["failing", "gone"] | str


class Suppression(Model):
    """An address that must not be mailed, and every reason there is: by hand, or by the recipient's own word."""

    email: str
    kinds: tuple[SuppressionKind | str, ...]
    reason: str
    created_at: datetime


class TemplateSummary(Model):
    """A template in a list."""

    id: UUID
    name: str
    version: int
    subject: str
    revision: int
    created_at: datetime
    updated_at: datetime


class TemplateVersionSummary(Model):
    """A version of a template in a list."""

    template_id: UUID
    version: int
    subject: str
    created_at: datetime


class TryoutData(Model):
    """The subscription that is tried out."""

    subscription_id: UUID


class VersionSummary(Model):
    """A version in a list."""

    version: int
    sender_id: UUID
    created_at: datetime
    activated_at: datetime | None
    step_count: int


class WebhookAttempt(Model):
    """What came of one post; response is the beginning of the answer's body."""

    attempt: int
    started_at: datetime
    latency_ms: int
    status: int | None
    error: str | None
    response: str


class WebhookDelivery(Model):
    """One event on its way to one subscription; last_* tell of the last attempt that came to an end."""

    id: UUID
    subscription_id: UUID
    event_id: UUID
    event_type: str
    occurred_at: datetime
    state: WebhookDeliveryState | str
    attempts: int
    next_attempt_at: datetime | None
    settled_at: datetime | None
    created_at: datetime
    last_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None


class WebhookReplayed(Model):
    """How many deliveries are posted again; more: as many as one call takes, call again for the rest."""

    replayed: int
    more: bool


class WebhookSource(Model):
    """A webhook source; url is what the ESP is to post to."""

    id: UUID
    name: str
    esp: WebhookSourceEsp | str
    url: str
    """What the ESP is to post to."""
    created_at: datetime


class WebhookSubscription(Model):
    """A webhook subscription.

    disabled_reason: manual, by a person; failing, nothing was accepted for days; gone, the receiver said 410. What
    is pending waits until it is enabled again. While previous_secret_until is set, two secrets sign.
    """

    id: UUID
    url: str
    event_types: tuple[str, ...]
    description: str
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: WebhookSubscriptionDisabledReason | str | None
    failing_since: datetime | None
    held_until: datetime | None
    previous_secret_until: datetime | None
    revision: int
    created_at: datetime
    updated_at: datetime


class WebhookTestResult(Model):
    """What came of a webhook.test event that was posted just now."""

    delivered: bool
    latency_ms: int
    status: int | None
    error: str | None
    response: str


class AccountUpserted(Account):
    """An account after an upsert; created says whether it is new."""

    created: bool


class ApiKeyMade(ApiKey):
    """An API key, its secret shown this once."""

    key: str = Field(repr=False)
    """The key itself: it is not shown again."""


class MessageBounced(Model):
    """A message came back after it had been accepted."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: BounceData
    type: Literal["message.bounced"]


class MessageRefused(Model):
    """The mail server refused a message for good."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: BounceData
    type: Literal["message.refused"]


class MessageClicked(Model):
    """A link of a message was followed."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: ClickData
    type: Literal["message.clicked"]


class ContactUpserted(Contact):
    """A contact after an upsert; created says whether it is new."""

    created: bool


class ContactBatchDone(Model):
    """What became of each item of a batch, in its order."""

    created: int
    updated: int
    unchanged: int
    rejected: int
    results: tuple[ContactBatchResult, ...]


class ContactErased(Model):
    """A contact was erased: what names the person is to be deleted wherever it was copied to."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: ContactData
    type: Literal["contact.erased"]


class ContactDetail(Contact):
    """A contact with its account, what it did, and why its address gets nothing (empty: nothing is against it)."""

    account: AccountOfContact | None
    engagement: Engagement
    suppressed: tuple[Literal["manual", "bounced", "complained", "unsubscribed"] | str, ...]


class DayCounts(Counts):
    """The messages that were sent on a day."""

    day: date


class SequenceCounts(Counts):
    """A sequence."""

    sequence_id: UUID
    name: str


class StepCounts(Counts):
    """A step by its key, over all versions that hold it. number: in the version asked for, the active or latest one."""

    key: str
    number: int | None


class MessageOpened(Model):
    """The open pixel of a message was loaded."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: EngagementData
    type: Literal["message.opened"]


class Enrolled(Model):
    """What became of each contact named, and the counts."""

    sequence_id: UUID
    version: int
    counts: EnrollCounts
    results: tuple[EnrollResult, ...]


class EnrollmentBounced(Model):
    """An enrollment ended with a bounce."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: EnrollmentData
    type: Literal["enrollment.bounced"]


class EnrollmentCompleted(Model):
    """An enrollment went through all its steps."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: EnrollmentData
    type: Literal["enrollment.completed"]


class EnrollmentCreated(Model):
    """A contact was enrolled in a sequence."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: EnrollmentData
    type: Literal["enrollment.created"]


class EnrollmentFailed(Model):
    """An enrollment could not go on."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: EnrollmentData
    type: Literal["enrollment.failed"]


class EnrollmentReplied(Model):
    """An enrollment ended with a reply."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: EnrollmentData
    type: Literal["enrollment.replied"]


class EnrollmentUnenrolled(Model):
    """An enrollment was stopped: by a person, an unsubscribe, a complaint or a suppression."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: EnrollmentData
    type: Literal["enrollment.unenrolled"]


class EnrollmentStopped(Enrollment):
    """An enrollment after its pause or stop."""

    stop: Stop


class Timeline(Model):
    """The newest 1,000 entries, oldest of them first; truncated: there were older ones."""

    items: tuple[Entry, ...]
    truncated: bool
    """There were older ones."""


class PastDecision(Model):
    """A decision as it was taken."""

    decided_at: datetime
    outcome: str
    step_key: str
    attempt: int
    due_at: datetime | None
    reasons: tuple[Reason, ...]


class StepChange(Model):
    """A step that was added, removed or changed, by its key."""

    key: str
    change: Literal["added", "removed", "changed"] | str
    fields: tuple[FieldChange, ...]


class Job(Model):
    """A job. counts holds how many had which result, such as created or rejected; the report tells of each."""

    id: UUID
    kind: JobKind | str
    state: JobState | str
    params: Mapping[str, Any]
    """What was asked for, as the kind of job keeps it."""
    progress: JobProgress
    counts: Mapping[str, int]
    error: JobError | None
    created_by: UUID
    """The API key."""
    created_at: datetime
    started_at: datetime | None
    cancel_requested_at: datetime | None
    ended_at: datetime | None
    report_deleted_at: datetime | None


class JobCancelled(Model):
    """A job was cancelled. What it had done stays done."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: JobData
    type: Literal["job.cancelled"]


class JobCompleted(Model):
    """A job did all that it was asked for; its report tells of each row or contact."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: JobData
    type: Literal["job.completed"]


class JobFailed(Model):
    """A job could not go on. What it had done stays done."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: JobData
    type: Literal["job.failed"]


class Me(Model):
    """Who the key in use belongs to."""

    tenant: Tenant
    api_key: ApiKey


class MessageDetail(Message):
    """A message with all its attempts, oldest first."""

    attempts: tuple[Attempt, ...]


class MessageAccepted(Model):
    """The mail server took a message."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: MessageData
    type: Literal["message.accepted"]


class MessageAutoresponded(Model):
    """A program answered a message, such as an out-of-office notice."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: MessageData
    type: Literal["message.autoresponded"]


class MessageCancelled(Model):
    """A message was not sent, because of a pause, a stop or a suppression."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: MessageData
    type: Literal["message.cancelled"]


class MessageComplained(Model):
    """The recipient called a message spam."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: MessageData
    type: Literal["message.complained"]


class MessageDeferred(Model):
    """The recipient's server put a message off; the provider tries again."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: MessageData
    type: Literal["message.deferred"]


class MessageDelivered(Model):
    """The recipient's server took a message, says the provider."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: MessageData
    type: Literal["message.delivered"]


class MessageFailed(Model):
    """The provider failed to send a message."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: MessageData
    type: Literal["message.failed"]


class MessageRejected(Model):
    """The provider did not pass a message on."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: MessageData
    type: Literal["message.rejected"]


class MessageReplied(Model):
    """A person answered a message."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: MessageData
    type: Literal["message.replied"]


class MessageUnknown(Model):
    """The hand-over of a message was cut off: the mail server may have it or not. It is not sent again."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: MessageData
    type: Literal["message.unknown"]


class MessageUnsubscribed(Model):
    """The recipient unsubscribed."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: MessageData
    type: Literal["message.unsubscribed"]


class ParkedQueue(Model):
    """The parking of a queue."""

    queue: str
    depth: int
    messages: tuple[ParkedMessage, ...]


class Sender(Model):
    """A sender. Its password is never answered."""

    id: UUID
    name: str
    from_email: str
    from_name: str
    reply_to: str | None
    esp: SenderEsp | str
    host: str
    port: int
    security: SenderSecurity | str
    username: str | None
    has_password: bool
    max_connections: int
    paused_at: datetime | None
    """When somebody paused it."""
    paused_by_us: PausedByUs | None = None
    """Null: the sending service has not paused it."""
    revision: int
    created_at: datetime
    updated_at: datetime


class Verification(Model):
    """All rules; ok: none is broken."""

    ok: bool
    """None is broken."""
    rules: tuple[RuleResult, ...]


class Sequence(SequenceSummary):
    """A sequence with the steps of its latest version: the draft if there is one."""

    version: int
    sender_id: UUID
    steps: tuple[Step, ...]


class Version(Model):
    """A version of a sequence. With activated_at it never changes."""

    sequence_id: UUID
    version: int
    sender_id: UUID
    created_at: datetime
    activated_at: datetime | None
    steps: tuple[Step, ...]


class SequenceStats(Model):
    """How a sequence does."""

    sequence_id: UUID
    enrollments: EnrollmentCounts
    steps: tuple[StepStats, ...]


class WebhookDisabled(Model):
    """Another webhook subscription of the tenant was disabled by us."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: SubscriptionData
    type: Literal["webhook.disabled"]


class SuppressionMade(Suppression):
    """A suppression that holds."""

    stop: Stop


class Template(TemplateSummary):
    """A template in its current version."""

    html: str
    text: str


class TemplateVersion(TemplateVersionSummary):
    """A version of a template, which never changes."""

    html: str
    text: str


class WebhookTest(Model):
    """Sent by POST /v1/webhook-subscriptions/{id}/test to that subscription, whatever it subscribes to."""

    id: UUID
    timestamp: datetime
    tenant_id: UUID
    data: TryoutData
    type: Literal["webhook.test"]


class WebhookDeliveryDetail(WebhookDelivery):
    """A delivery with what is posted, and its attempts, oldest first."""

    payload: Mapping[str, Any]
    attempts_made: tuple[WebhookAttempt, ...]


class WebhookSourceMade(WebhookSource):
    """A webhook source, its credentials shown this once."""

    credentials: tuple[CredentialsShown, ...] | None


class WebhookSubscriptionMade(WebhookSubscription):
    """A webhook subscription, its secret shown this once."""

    secret: str = Field(repr=False)


class TenantMade(Model):
    """A tenant and its first key."""

    tenant: Tenant
    api_key: ApiKeyMade


class DailyAnalytics(Model):
    """The days on which a sequence sent, in order, in the tenant's time zone."""

    sequence_id: UUID
    timezone: str
    days: tuple[DayCounts, ...]


class Overview(Model):
    """The sequences of a tenant that sent anything, oldest first, and their sum."""

    total: Counts
    sequences: tuple[SequenceCounts, ...]


class StepAnalytics(Model):
    """The steps of a sequence, in order, and their sum."""

    sequence_id: UUID
    total: Counts
    steps: tuple[StepCounts, ...]


class Explanation(Model):
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


class VersionDiff(Model):
    """What a version changes against another one; against null: against nothing, it is the first."""

    sequence_id: UUID
    version: int
    against: int | None
    fields: tuple[FieldChange, ...]
    steps: tuple[StepChange, ...]


class Parking(Model):
    """The parking of every queue."""

    items: tuple[ParkedQueue, ...]


class SenderPaused(Sender):
    """A sender after its pause."""

    stop: Stop


class SequenceArchived(Sequence):
    """A sequence after it was archived, with the number of enrollments that this ends."""

    stop: Stop
    stopped_enrollments: int


class SequencePaused(Sequence):
    """A sequence after its pause."""

    stop: Stop


WebhookEvent: TypeAlias = Annotated[
    ContactErased
    | EnrollmentBounced
    | EnrollmentCompleted
    | EnrollmentCreated
    | EnrollmentFailed
    | EnrollmentReplied
    | EnrollmentUnenrolled
    | JobCancelled
    | JobCompleted
    | JobFailed
    | MessageAccepted
    | MessageAutoresponded
    | MessageBounced
    | MessageCancelled
    | MessageClicked
    | MessageComplained
    | MessageDeferred
    | MessageDelivered
    | MessageFailed
    | MessageOpened
    | MessageRefused
    | MessageRejected
    | MessageReplied
    | MessageUnknown
    | MessageUnsubscribed
    | WebhookDisabled
    | WebhookTest,
    Field(discriminator="type"),
]
