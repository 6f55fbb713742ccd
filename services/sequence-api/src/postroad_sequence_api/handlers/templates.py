"""/v1/templates."""

from uuid import UUID

from postroad_sequence_api.context import Context, Work
from postroad_sequence_api.models.base import Page, Pick, VersionPick
from postroad_sequence_api.models.templates import (
    Preview,
    PreviewNew,
    Template,
    TemplateChange,
    TemplateNew,
    TemplateSummary,
    TemplateVersion,
    TemplateVersionSummary,
)
from postroad_sequence_api.services import templates


async def create(work: Work, body: TemplateNew) -> Template:
    """Add a template."""
    return await templates.create(work, body)


async def list_(work: Work, query: Pick) -> Page[TemplateSummary]:
    """List templates, oldest first."""
    return await templates.listed(work, query)


async def get(work: Work, template_id: UUID) -> Template:
    """Show a template in its current version."""
    return await templates.get(work, template_id)


async def versions(work: Work, template_id: UUID, query: VersionPick) -> Page[TemplateVersionSummary]:
    """List the versions of a template, newest first."""
    return await templates.versions(work, template_id, query)


async def version(work: Work, template_id: UUID, version: int) -> TemplateVersion:
    """Show a version of a template, as steps may have pinned it."""
    return await templates.version(work, template_id, version)


async def change(work: Work, template_id: UUID, body: TemplateChange) -> Template:
    """Make the next version of a template."""
    return await templates.change(work, template_id, body)


async def delete(work: Work, template_id: UUID) -> None:
    """Delete a template that no step uses."""
    await templates.delete(work, template_id)


async def preview(work: Work, context: Context, template_id: UUID, body: PreviewNew) -> Preview:
    """Show a template as a contact would get it."""
    return await templates.preview(work, template_id, body, context.settings.tracking_url + "/u/preview")
