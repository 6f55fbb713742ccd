"""/v1/templates."""

from uuid import UUID

from postroad_sequence_api.context import Context, Work
from postroad_sequence_api.models.base import Page, Pick
from postroad_sequence_api.models.templates import (
    Preview,
    PreviewNew,
    Template,
    TemplateChange,
    TemplateNew,
    TemplateSummary,
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


async def change(work: Work, template_id: UUID, body: TemplateChange) -> Template:
    """Make the next version of a template."""
    return await templates.change(work, template_id, body)


async def delete(work: Work, template_id: UUID) -> None:
    """Delete a template that no step uses."""
    await templates.delete(work, template_id)


async def preview(work: Work, context: Context, template_id: UUID, body: PreviewNew) -> Preview:
    """Show a template as a contact would get it."""
    return await templates.preview(work, template_id, body, context.settings.tracking_url + "/u/preview")
