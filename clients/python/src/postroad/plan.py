"""What applying a sequence file would change, decided on values, and then done in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypedDict
from uuid import UUID

from postroad.client import AsyncClient
from postroad.errors import InputError
from postroad.models import Sender, Sequence, Step, Template
from postroad.params import StepSpec
from postroad.sequence_file import SequenceFile, StepSource, TemplateSource, parse_delay

_PAGE: Final = 200


@dataclass(frozen=True)
class Present:
    """What the tenant has of what the file names."""

    senders: Mapping[str, Sender]
    templates: Mapping[str, Template]
    sequence: Sequence | None


@dataclass(frozen=True)
class CreateTemplate:
    """The file's template is new."""

    name: str


@dataclass(frozen=True)
class ChangeTemplate:
    """The file's template says something else than its current version."""

    template: Template


@dataclass(frozen=True)
class CreateSequence:
    """The sequence is new."""


@dataclass(frozen=True)
class ChangeSequence:
    """The sequence's steps, sender or template versions are others."""

    sequence: Sequence
    why: str


@dataclass(frozen=True)
class Activate:
    """The draft becomes the version that new enrollments get."""


Action = CreateTemplate | ChangeTemplate | CreateSequence | ChangeSequence | Activate


@dataclass(frozen=True)
class Plan:
    """The actions in their order; none: the tenant has what the file says."""

    file: SequenceFile
    sender: Sender
    present: Present
    actions: tuple[Action, ...]


async def read_present(client: AsyncClient, file: SequenceFile) -> Present:
    """Ask the API for what the file names."""
    senders = {sender.name: sender async for sender in client.senders.list(limit=_PAGE)}
    summaries = [one async for one in client.templates.list(limit=_PAGE) if one.name in file.templates]
    templates = {summary.name: await client.templates.get(summary.id) for summary in summaries}
    found = [sequence async for sequence in client.sequences.list(limit=_PAGE) if sequence.name == file.sequence]
    sequence = await client.sequences.get(found[0].id) if found else None
    return Present(senders, templates, sequence)


def make_plan(file: SequenceFile, present: Present, *, activate: bool) -> Plan:
    """What has to be done; raises InputError when the sender does not exist."""
    sender = present.senders.get(file.sender)
    if sender is None:
        names = ", ".join(repr(name) for name in present.senders) or "none yet"
        raise InputError(
            f"sender: there is no sender {file.sender!r}; there are: {names}. Make one with `postroad senders create`."
        )
    templates = tuple(_template_actions(file, present))
    sequence = _sequence_action(
        file, present, sender, {a.template.name for a in templates if isinstance(a, ChangeTemplate)}
    )
    actions: tuple[Action, ...] = (*templates, *([sequence] if sequence else []))
    drafted = sequence is not None or (present.sequence is not None and present.sequence.draft_version is not None)
    return Plan(file, sender, present, (*actions, Activate()) if activate and drafted else actions)


async def carry_out(client: AsyncClient, plan: Plan) -> Sequence:
    """Do what the plan says; returns the sequence as it then is."""
    ids = {name: template.id for name, template in plan.present.templates.items()}
    sequence = plan.present.sequence
    for action in plan.actions:
        match action:
            case CreateTemplate(name):
                ids[name] = (await client.templates.create(name=name, **_parts(plan.file.templates[name]))).id
            case ChangeTemplate(template):
                parts = _parts(plan.file.templates[template.name])
                await client.templates.change(template.id, **parts, if_match=template.revision)
            case CreateSequence():
                steps = _bodies(plan.file, ids)
                sequence = await client.sequences.create(name=plan.file.sequence, sender_id=plan.sender.id, steps=steps)
            case ChangeSequence(old):
                steps = _bodies(plan.file, ids)
                sequence = await client.sequences.change(
                    old.id, sender_id=plan.sender.id, steps=steps, if_match=old.revision
                )
            case Activate():
                sequence = await client.sequences.activate(_made(sequence).id, if_match=_made(sequence).revision)
    return _made(sequence)


def _made(sequence: Sequence | None) -> Sequence:
    if sequence is None:
        raise AssertionError("a plan makes the sequence or found it")
    return sequence


def _template_actions(file: SequenceFile, present: Present) -> list[CreateTemplate | ChangeTemplate]:
    actions: list[CreateTemplate | ChangeTemplate] = []
    for name, source in file.templates.items():
        current = present.templates.get(name)
        if current is None:
            actions.append(CreateTemplate(name))
        elif not _says_the_same(source, current):
            actions.append(ChangeTemplate(current))
    return actions


def _says_the_same(source: TemplateSource, current: Template) -> bool:
    same = source.subject.strip() == current.subject.strip() and source.html == current.html
    return same and source.text in {"", current.text}


def _sequence_action(
    file: SequenceFile, present: Present, sender: Sender, changed: set[str]
) -> CreateSequence | ChangeSequence | None:
    current = present.sequence
    if current is None:
        return CreateSequence()
    if current.sender_id != sender.id:
        return ChangeSequence(current, "another sender")
    names = {template.id: name for name, template in present.templates.items()}
    if [_shape(step) for step in file.steps] != [_current_shape(step, names) for step in current.steps]:
        return ChangeSequence(current, "other steps")
    if any(_pins_an_old_version(step, present, names, changed) for step in current.steps):
        return ChangeSequence(current, "newer versions of its templates")
    return None


def _shape(step: StepSource) -> tuple[object, ...]:
    return (step.key, step.template, step.delay, step.preferred_time, step.thread)


def _current_shape(step: Step, names: Mapping[UUID, str]) -> tuple[object, ...]:
    return (step.key, names.get(step.template_id), parse_delay(step.delay), step.preferred_time, step.thread)


def _pins_an_old_version(step: Step, present: Present, names: Mapping[UUID, str], changed: set[str]) -> bool:
    """A draft pins nothing: it takes the newest version when it is activated."""
    if step.template_version is None:
        return False
    name = names[step.template_id]
    return name in changed or step.template_version < present.templates[name].version


class _Parts(TypedDict):
    subject: str
    html: str
    text: str


def _parts(source: TemplateSource) -> _Parts:
    return {"subject": source.subject.strip(), "html": source.html, "text": source.text}


def _bodies(file: SequenceFile, ids: Mapping[str, UUID]) -> list[StepSpec]:
    return [
        {
            "key": step.key,
            "template_id": ids[step.template],
            "delay": int(step.delay.total_seconds()),
            "preferred_time": step.preferred_time,
            "thread": step.thread,
        }
        for step in file.steps
    ]
