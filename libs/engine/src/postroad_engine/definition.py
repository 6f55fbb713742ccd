"""A sequence version as frozen values.

Steps are a closed union: a new kind of step is a new dataclass in `Step`, and mypy then names each `match` over
steps that does not know it yet.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from typing import ClassVar, Literal, TypeAlias
from uuid import UUID

from postroad_engine.delays import MAX_DELAY
from postroad_engine.errors import UnknownStepError

Thread = Literal["new", "reply"]

MAX_STEPS = 100
STEP_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class EmailStep:
    """A mail, `delay` after the step before it (the first: after enrolling).

    `preferred_time` is wall clock in the contact's zone. `template_version` is None in a draft and pinned on
    activation. `thread` says whether the mail opens a thread or replies to the previous one.
    """

    kind: ClassVar[str] = "email"

    key: str
    number: int
    delay: timedelta
    template_id: UUID
    template_version: int | None = None
    preferred_time: time | None = None
    thread: Thread = "new"


Step: TypeAlias = EmailStep


@dataclass(frozen=True, slots=True)
class SequenceDefinition:
    """One version of a sequence; its steps are numbered from 1 without gaps."""

    sequence_id: UUID
    version: int
    sender_id: UUID
    steps: tuple[Step, ...]

    def has_step(self, number: int) -> bool:
        """Whether there is a step of this number."""
        return 1 <= number <= len(self.steps)

    def step(self, number: int) -> Step:
        """The step of this number; raises UnknownStepError."""
        if not self.has_step(number):
            raise UnknownStepError(f"version {self.version} has no step {number}")
        return self.steps[number - 1]

    def after(self, number: int) -> Step | None:
        """The step that follows, None after the last."""
        return self.steps[number] if self.has_step(number + 1) else None


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong where: `field` is a path such as `steps[2].delay`."""

    field: str
    message: str


def validate(steps: Sequence[Step]) -> tuple[FieldError, ...]:
    """Everything that is wrong with the steps of a version; empty when it may be activated."""
    if not steps:
        return (FieldError("steps", "a sequence needs at least one step"),)
    if len(steps) > MAX_STEPS:
        return (FieldError("steps", f"a sequence has at most {MAX_STEPS} steps"),)
    return (*_each(steps), *_duplicates(steps))


def _each(steps: Sequence[Step]) -> Iterator[FieldError]:
    for index, step in enumerate(steps):
        path = f"steps[{index}]"
        if step.number != index + 1:
            yield FieldError(f"{path}.number", "steps are numbered from 1 without gaps")
        if STEP_KEY.fullmatch(step.key) is None:
            yield FieldError(f"{path}.key", "a key is 1 to 40 of a-z, 0-9, - and _, and starts with a letter or digit")
        if not timedelta(0) <= step.delay <= MAX_DELAY:
            yield FieldError(f"{path}.delay", "a delay is between 0 and 365 days")
        if step.preferred_time is not None and step.preferred_time.tzinfo is not None:
            yield FieldError(f"{path}.preferred_time", "a preferred time carries no zone: it is the contact's")
        if index == 0 and step.thread == "reply":
            yield FieldError(f"{path}.thread", "the first step has no earlier mail to reply to")


def _duplicates(steps: Sequence[Step]) -> Iterator[FieldError]:
    first: dict[str, int] = {}
    for index, step in enumerate(steps):
        other = first.setdefault(step.key, index)
        if other != index:
            yield FieldError(f"steps[{index}].key", f"steps[{other}] has the same key, {step.key!r}")
