"""What can go wrong, in words for the person at the terminal, each with the command's exit code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from typing_extensions import override


class PostroadError(Exception):
    """Base of this package's errors; the text is for people."""

    code_of_exit: ClassVar[int] = 4

    @property
    def exit_code(self) -> int:
        """What the command ends with: 2 what was asked, 3 who asked, 4 the service or the way to it."""
        return self.code_of_exit


class InputError(PostroadError):
    """A file or argument that cannot be used; nothing was sent."""

    code_of_exit = 2


class ConfigurationError(PostroadError):
    """The environment lacks an address or a key."""

    code_of_exit = 3


class UnreachableError(PostroadError):
    """No answer from the API, also after several tries."""


class UnexpectedAnswerError(PostroadError):
    """Something answered that is not Postroad's API."""


_ADVICE: Mapping[str, str] = {
    "unauthorized": "Check POSTROAD_API_KEY (for `tenant create` and `parking`: POSTROAD_OPERATOR_TOKEN).",
    "forbidden": "Use a key with that role.",
    "unavailable": "The service is up but cannot reach its database or broker; /readyz says which.",
    "internal_error": "The service's log says why.",
    "taken": "Choose another, or change the one that exists.",
}


class ProblemError(PostroadError):
    """The API's own refusal (RFC 9457): status, code, the fields at fault, and what else it said."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(document.get("code", ""))
        self.title = str(document.get("title", f"HTTP {status}"))
        self.detail = str(document.get("detail", ""))
        self.field: str | None = document.get("field")
        self.errors: list[Mapping[str, Any]] = list(document.get("errors", ()))
        self.document = document
        super().__init__(self.sentence())

    @property
    @override
    def exit_code(self) -> int:
        """By the status."""
        if self.status in {401, 403}:
            return 3
        return 2 if self.status < 429 else 4

    def sentence(self) -> str:
        """What is wrong, where, and what to do."""
        words = [self._what()]
        if (advice := _ADVICE.get(self.code)) is not None:
            words.append(advice)
        return " ".join(words)

    def _what(self) -> str:
        if len(self.errors) > 1:
            return self.title + ": " + "; ".join(f"{e.get('field')}: {e.get('message')}" for e in self.errors) + "."
        text = f"{self.title}: {self.detail}" if self.detail and self.status >= 500 else self.detail or self.title
        if self.field and self.field not in text:
            text = f"{self.field}: {text}"
        return text if text.endswith((".", "!", "?")) else text + "."
