"""Jobs: work that takes longer than a request, and what is asked of it."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from pydantic import Field, Json

from postroad_sequence_api.models.attributes import AttributeName
from postroad_sequence_api.models.base import Body, Pick, Query, View
from postroad_sequence_api.models.fields import said

JobKind = Literal["import", "enroll", "export", "erase"]
JobState = Literal["queued", "running", "completed", "failed", "cancelled"]
ContactField = Literal[
    "email", "external_id", "first_name", "last_name", "company", "kind", "timezone", "account_external_id"
]
Encoding = Literal["utf-8", "utf-16", "windows-1250", "windows-1251", "windows-1252", "iso-8859-2", "iso-8859-15"]


class AttributeColumn(Body):
    """A column that is an attribute."""

    attribute: AttributeName


ColumnMapping: TypeAlias = dict[str, ContactField | AttributeColumn | None]
"""What the columns of a file are, by the names in its header: a field, {"attribute": name}, or null: nothing."""


class FileForm(Query):
    """How a CSV file is written, where that should not be found out."""

    delimiter: Literal["comma", "semicolon", "tab", "pipe"] | None = None
    """Without it, the one that the header has most of."""
    encoding: Encoding | None = None
    """Without it, each line is UTF-8, or Windows-1252 where it is not (the report warns); UTF-16 is recognised."""


class ImportOptions(FileForm):
    """How to read a file of contacts."""

    columns: (
        Annotated[Json[ColumnMapping], Field(max_length=500), said(examples=['{"E-Mail": "email", "Notes": null}'])]
        | None
    ) = None
    """What columns are, by their names: {"E-Mail": "email", "Umsatz": {"attribute": "revenue"}, "Notes": null}. Null
    is nothing. One that is not named is the field of its own name, else an attribute."""
    dry_run: bool = False
    """Write nothing, and report what would happen."""


class JobPick(Pick):
    """Which jobs to list."""

    kind: JobKind | None = None
    """What they do."""
    state: JobState | None = None
    """Where they are."""


class JobProgress(View):
    """How far a job is. total is null while it is not known."""

    done: int
    total: int | None
    unit: Literal["bytes", "contacts"]


class JobError(View):
    """Why a job failed."""

    code: str
    detail: str


class Job(View):
    """A job. counts holds how many had which result, such as created or rejected; the report tells of each."""

    id: UUID
    kind: JobKind
    state: JobState
    params: dict[str, Any]
    """What was asked for, as the kind of job keeps it."""
    progress: JobProgress
    counts: Annotated[dict[str, int], said(examples=[{"rows": 3, "created": 2, "rejected": 1}])]
    error: JobError | None
    created_by: UUID
    """The API key."""
    created_at: datetime
    started_at: datetime | None
    cancel_requested_at: datetime | None
    ended_at: datetime | None
    report_deleted_at: datetime | None
