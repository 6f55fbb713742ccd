"""Templates: what a step says."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from postroad_sequence_api.models.base import Body, View
from postroad_sequence_api.models.fields import Name, Source, SubjectSource, said

TemplateName = Annotated[Name, said(examples=["Welcome"])]


class TemplateNew(Body):
    """A template to add: Jinja2 in each part. An empty text is made from the HTML."""

    name: TemplateName
    subject: SubjectSource
    html: Source
    text: Source = ""
    """Empty: made from the HTML."""


class TemplateChange(Body):
    """The next version of a template. Versions never change; what is pinned to an older one keeps it."""

    name: TemplateName | None = None
    """Null: it keeps its name."""
    subject: SubjectSource
    html: Source
    text: Source = ""
    """Empty: made from the HTML."""


class TemplateSummary(View):
    """A template in a list."""

    id: UUID
    name: str
    version: int
    subject: str
    revision: int
    created_at: datetime
    updated_at: datetime


class Template(TemplateSummary):
    """A template in its current version."""

    html: str
    text: str


class TemplateVersionSummary(View):
    """A version of a template in a list."""

    template_id: UUID
    version: int
    subject: str
    created_at: datetime


class TemplateVersion(TemplateVersionSummary):
    """A version of a template, which never changes."""

    html: str
    text: str


class PreviewNew(Body):
    """Whom to render a template for, and as if from which sender."""

    contact_id: UUID
    sender_id: UUID | None = None
    """Null: a sample."""


class Preview(View):
    """A template as a contact would get it, links and pixel untouched."""

    subject: str
    html: str
    text: str
