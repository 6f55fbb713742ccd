"""What the engine raises; whatever a rule decides is a value instead."""

from typing import Literal

from typing_extensions import override

Part = Literal["subject", "html", "text"]


class EngineError(Exception):
    """Base of the engine's errors."""


class DelayError(EngineError, ValueError):
    """The text is not a delay; the message says how to write one."""


class TimeOfDayError(EngineError, ValueError):
    """The value is not a time of day; the message says how to write one."""


class UnknownStepError(EngineError, LookupError):
    """The sequence version has no step of this number."""


class UnknownZoneError(EngineError, LookupError):
    """The name is not in the IANA time zone database."""


class IllegalTransitionError(EngineError):
    """The state machine has no such transition: a fault in the caller, never a user's."""


class TemplateError(EngineError):
    """A template cannot be accepted or rendered. `line` counts from 1 in `part`; None where no line is at fault."""

    def __init__(self, part: Part, message: str, line: int | None = None) -> None:
        super().__init__(part, message, line)
        self.part = part
        self.message = message
        self.line = line

    @override
    def __str__(self) -> str:
        where = self.part if self.line is None else f"{self.part}, line {self.line}"
        return f"{where}: {self.message}"
