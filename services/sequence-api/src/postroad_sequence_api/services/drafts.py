"""The steps of a version: checked, written, and frozen when it is activated."""

import re
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from postroad_common.db import queries
from postroad_common.problems import Problem
from postroad_engine.definition import EmailStep, FieldError, validate
from postroad_engine.errors import TemplateError
from postroad_engine.templates import Template
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import NotFoundError, TemplateRefusedError
from postroad_sequence_api.models.sequences import Step, StepSpec

_SQL: Final = queries("postroad_sequence_api", "sequences")
_SENDERS: Final = queries("postroad_sequence_api", "senders")
_TEMPLATES: Final = queries("postroad_sequence_api", "templates")
_INDEX: Final = re.compile(r"\[(\d+)\]")


async def check(work: Work, sender_id: UUID, steps: Sequence[StepSpec]) -> None:
    """Refuse steps that do not agree with each other, or name a sender or template that is not there."""
    if steps:  # a draft may be empty; activation asks for more
        _refuse(validate([_engine_step(number, spec) for number, spec in enumerate(steps, 1)]))
    if not await work.value(_SENDERS.sender_exists, sender_id):
        raise NotFoundError("sender", field="sender_id")
    rows = await work.all(_TEMPLATES.known_templates, [spec.template_id for spec in steps])
    known = {row["template_id"] for row in rows}
    for index, spec in enumerate(steps):
        if spec.template_id not in known:
            raise NotFoundError("template", field=f"steps.{index}.template_id")


async def write_steps(work: Work, sequence_id: UUID, version: int, steps: Sequence[StepSpec]) -> None:
    """The steps of a draft."""
    numbered = [(number, spec) for number, spec in enumerate(steps, 1)]
    await work.do(
        _SQL.insert_steps,
        sequence_id,
        version,
        [number for number, _ in numbered],
        [_key(number, spec) for number, spec in numbered],
        [spec.kind for spec in steps],
        [int(spec.delay.total_seconds()) for spec in steps],
        [spec.preferred_time for spec in steps],
        [spec.template_id for spec in steps],
        [spec.thread for spec in steps],
    )


async def steps(work: Work, sequence_id: UUID, version: int) -> tuple[Step, ...]:
    """The steps of a version."""
    return tuple(Step.of(row) for row in await work.all(_SQL.steps, sequence_id, version))


async def freeze(work: Work, sequence_id: UUID, version: int) -> None:
    """Pin each step to its template as it is now, see that all compile, and let nobody change them again."""
    _refuse(validate([_engine_step(step.number, step) for step in await steps(work, sequence_id, version)]))
    await work.do(_SQL.pin_templates, sequence_id, version)
    for row in await work.all(_SQL.pinned_sources, sequence_id, version):
        _compile(row["number"], row["subject"], row["html"], row["text"])
    await work.value(_SQL.freeze_version, sequence_id, version)


def _compile(number: int, subject: str, html: str, text: str) -> None:
    try:
        Template.compile(subject, html, text)
    except TemplateError as error:
        raise TemplateRefusedError(error, field=f"steps.{number - 1}.template_id", step=number) from error


def _engine_step(number: int, step: StepSpec | Step) -> EmailStep:
    key = step.key if isinstance(step, Step) else _key(number, step)
    return EmailStep(
        key=key,
        number=number,
        delay=step.delay,
        template_id=step.template_id,
        preferred_time=step.preferred_time,
        thread=step.thread,
    )


def _key(number: int, spec: StepSpec) -> str:
    """The key that a step was given, or the one that its number gives it."""
    return spec.key or f"step-{number}"


def _refuse(found: Sequence[FieldError]) -> None:
    if not found:
        return
    errors = [{"field": _INDEX.sub(r".\1", error.field), "message": error.message} for error in found]
    first = errors[0]
    raise Problem(
        422,
        "invalid",
        "The request is not valid",
        f"{first['field']}: {first['message']}",
        field=first["field"],
        errors=errors,
    )
