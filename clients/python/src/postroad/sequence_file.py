"""A sequence as a YAML file: templates, the sender's name, steps. Read with every error named."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from postroad.errors import InputError

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DELAY = re.compile(r"\s*([0-9]{1,9})\s*([wdhms])\s*", re.ASCII)


def parse_delay(value: object) -> timedelta:
    """A delay from `3d`, `2h`, `90m`, `5s`, `1w` or whole seconds; raises ValueError."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return timedelta(seconds=value)
    match = _DELAY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("write a delay as 3d, 2h, 90m, 5s or 1w, or as a whole number of seconds")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def _clock(value: object) -> object:
    if isinstance(value, int):  # YAML 1.1 reads an unquoted 10:30 as the number 630
        raise ValueError(f'put the time in quotes: "{value // 60:02}:{value % 60:02}"')  # noqa: TRY004 - pydantic reports ValueErrors only
    return value


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TemplateSource(_Part):
    """A template as the file has it; an empty text is made from the HTML."""

    subject: str
    html: str
    text: str = ""


class StepSource(_Part):
    """A step as the file has it; template is a name under `templates`."""

    key: str
    template: str
    delay: Annotated[timedelta, BeforeValidator(parse_delay)] = timedelta(0)
    preferred_time: Annotated[str | None, BeforeValidator(_clock)] = None
    thread: Literal["new", "reply"] = "new"


class SequenceFile(_Part):
    """A whole file."""

    sequence: str
    sender: str
    templates: Annotated[dict[str, TemplateSource], Field(min_length=1)]
    steps: Annotated[tuple[StepSource, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _steps_name_templates(self) -> Self:
        for step in self.steps:
            if step.template not in self.templates:
                known = ", ".join(self.templates)
                raise ValueError(f"step {step.key!r} names the template {step.template!r}; the file has: {known}")
        keys = [step.key for step in self.steps]
        if len(set(keys)) < len(keys):
            raise ValueError("two steps have the same key")
        return self


def read_sequence_file(path: Path) -> SequenceFile:
    """Parse a file; raises InputError that names the file and each field at fault."""
    try:
        data: Any = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not YAML: {error}") from error
    try:
        return SequenceFile.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{path}: {_sentence(error)}") from error


def _sentence(error: ValidationError) -> str:
    faults = [
        f"{'.'.join(str(part) for part in fault['loc']) or 'the file'}: {fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors(include_url=False, include_context=False)
    ]
    return "; ".join(faults)
