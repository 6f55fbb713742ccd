"""Templates and their versions, which never change."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from asyncpg import Record

from postroad_common.db import queries
from postroad_common.ids import new_id
from postroad_engine.errors import TemplateError
from postroad_engine.templates import Template as Compiled
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import ConflictError, NotFoundError, TemplateRefusedError
from postroad_sequence_api.models.base import Page, Pick, VersionPick, page_of
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

_SQL: Final = queries("postroad_sequence_api", "templates")
_SAMPLE_SENDER: Final = {"from_email": "sender@example.com", "from_name": "Sender"}


async def create(work: Work, new: TemplateNew) -> Template:
    """A template in its first version; refused unless every part compiles."""
    compiled(new.subject, new.html, new.text)
    template_id = new_id()
    await work.do(_SQL.insert_template, template_id, new.name)
    await work.do(_SQL.insert_template_version, template_id, 1, new.subject, new.html, new.text)
    return await get(work, template_id)


async def get(work: Work, template_id: UUID) -> Template:
    """A template in its current version."""
    row = await work.find(_SQL.template, template_id)
    if row is None:
        raise NotFoundError("template")
    return Template.of(row)


async def listed(work: Work, pick: Pick) -> Page[TemplateSummary]:
    """Templates, oldest first."""
    rows = await work.all(_SQL.list_templates, pick.after, pick.limit + 1)
    return page_of((TemplateSummary.of(row) for row in rows), pick.limit)


async def versions(work: Work, template_id: UUID, pick: VersionPick) -> Page[TemplateVersionSummary]:
    """The versions of a template, newest first."""
    rows = await work.all(_SQL.template_versions, template_id, pick.after, pick.limit + 1)
    if not rows and await work.find(_SQL.template, template_id) is None:
        raise NotFoundError("template")
    return page_of((TemplateVersionSummary.of(row) for row in rows), pick.limit, cursor="version")


async def version(work: Work, template_id: UUID, number: int) -> TemplateVersion:
    """A version of a template."""
    row = await work.find(_SQL.template_version, template_id, number)
    if row is None:
        raise NotFoundError("version of a template")
    return TemplateVersion.of(row)


async def change(work: Work, template_id: UUID, wanted: TemplateChange) -> Template:
    """The next version, unless nothing differs. Whatever pins an older one keeps it."""
    compiled(wanted.subject, wanted.html, wanted.text)
    standing = await work.find(_SQL.lock_template, template_id)
    if standing is None:
        raise NotFoundError("template")
    work.match(standing["revision"])
    now = await get(work, template_id)
    version = now.version
    if (now.subject, now.html, now.text) != (wanted.subject, wanted.html, wanted.text):
        version += 1
        await work.do(
            _SQL.insert_template_version,
            template_id,
            version,
            wanted.subject,
            wanted.html,
            wanted.text,
        )
    name = wanted.name or standing["name"]
    await work.do(_SQL.set_current_version, template_id, name, version)
    return await get(work, template_id)


async def delete(work: Work, template_id: UUID) -> None:
    """Delete a template that no step uses, or say which do."""
    standing = await work.find(_SQL.lock_template, template_id)
    if standing is None:
        raise NotFoundError("template")
    work.match(standing["revision"])
    uses = await work.all(_SQL.uses_of_template, template_id)
    if uses:
        raise ConflictError("in_use", f"The template is used by {_said(uses)}.", uses=[_use(row) for row in uses])
    await work.value(_SQL.delete_template, template_id)


async def preview(work: Work, template_id: UUID, new: PreviewNew, unsubscribe_url: str) -> Preview:
    """The template as a contact would get it. What cannot be filled in is refused with its place."""
    template = await get(work, template_id)
    row = await work.find(_SQL.preview_parties, new.contact_id, new.sender_id)
    if row is None:
        raise NotFoundError("contact", field="contact_id")
    if new.sender_id is not None and row["sender"] is None:
        raise NotFoundError("sender", field="sender_id")
    try:
        rendered = compiled(template.subject, template.html, template.text).render(_parties(row, unsubscribe_url))
    except TemplateError as error:
        raise TemplateRefusedError(error) from error
    return Preview(subject=rendered.subject, html=rendered.html, text=rendered.text)


def compiled(subject: str, html: str, text: str) -> Compiled:
    """The template as the engine runs it; raises TemplateRefusedError."""
    try:
        return Compiled.compile(subject, html, text)
    except TemplateError as error:
        raise TemplateRefusedError(error) from error


def _parties(row: Record, unsubscribe_url: str) -> dict[str, Any]:
    contact, sender = row["contact"], row["sender"] or _SAMPLE_SENDER
    seen = ("email", "first_name", "last_name", "company", "attributes")
    return {
        "contact": {name: contact[name] for name in seen},
        "sender": {"name": sender["from_name"], "email": sender["from_email"]},
        "tenant": {"name": row["tenant"]["name"], "postal_address": row["tenant"]["postal_address"]},
        "unsubscribe_url": unsubscribe_url,
    }


def _use(row: Record) -> dict[str, Any]:
    return {
        "sequence_id": str(row["sequence_id"]),
        "sequence": row["name"],
        "version": row["version"],
        "steps": row["steps"],
    }


def _said(uses: Iterable[Record]) -> str:
    return "; ".join(
        f"{row['name']} (version {row['version']}, step{'s' if len(row['steps']) > 1 else ''} "
        f"{', '.join(str(number) for number in row['steps'])})"
        for row in uses
    )
