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


_TRACE = "urn:postroad:trace:"
_ADVICE: Mapping[str, str] = {
    "unauthorized": "Check POSTROAD_API_KEY (for `tenant create` and `parking`: POSTROAD_OPERATOR_TOKEN).",
    "forbidden": "Use a key with that role.",
    "unavailable": "The service is up but cannot reach its database or broker; /readyz says which.",
    "internal_error": "The service's log says why.",
    "taken": "Choose another, or change the one that exists.",
}


class ProblemError(PostroadError):
    """The API's own refusal (RFC 9457): status, code, the fields at fault, and what else it said.

    code is for programs (docs/openapi.json lists them by status), title and detail are for people. trace_id is that of
    the request, if it was sampled. document holds all members, such as `limit` or `uses`, which depend on the code.
    """

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(document.get("code", ""))
        self.title = str(document.get("title", f"HTTP {status}"))
        self.detail = str(document.get("detail", ""))
        self.field: str | None = document.get("field")
        self.errors: list[Mapping[str, Any]] = list(document.get("errors", ()))
        instance = str(document.get("instance", ""))
        self.trace_id = instance.removeprefix(_TRACE) if instance.startswith(_TRACE) else None
        self.document = document
        super().__init__(self.sentence())

    @staticmethod
    def of(status: int, document: Mapping[str, Any]) -> ProblemError:
        """The error of a status."""
        return _BY_STATUS.get(status, ProblemError)(status, document)

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


class UnauthorizedError(ProblemError):
    """401: no key, or none that is good."""


class ForbiddenError(ProblemError):
    """403: the key may not do this."""


class NotFoundError(ProblemError):
    """404: there is no such thing in this tenant."""


class ConflictError(ProblemError):
    """409: not as things stand; code says why."""


class ChangedMeanwhileError(ProblemError):
    """412: somebody else has changed it since it was read."""

    @property
    def revision(self) -> int | None:
        """The revision that it has now."""
        return self.document.get("revision")


class InvalidError(ProblemError):
    """422: errors names each field at fault."""


class RateLimitedError(ProblemError):
    """429, also after waiting as long as it said."""


class UnavailableError(ProblemError):
    """503, also after several tries; nothing is lost."""


_BY_STATUS: Mapping[int, type[ProblemError]] = {
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    412: ChangedMeanwhileError,
    422: InvalidError,
    429: RateLimitedError,
    503: UnavailableError,
}
