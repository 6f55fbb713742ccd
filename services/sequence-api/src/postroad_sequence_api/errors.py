"""What the API refuses, each with the answer that the client gets."""

from typing import Any, Final

from asyncpg import ForeignKeyViolationError, IntegrityConstraintViolationError, UniqueViolationError

from postroad_common.problems import Problem
from postroad_engine.errors import TemplateError
from postroad_sequence_api.filtering.errors import FilterError


class NotFoundError(Problem):
    """No such thing in this tenant: never existed, is gone, or is another tenant's; the answer does not tell which."""

    def __init__(self, what: str, *, field: str | None = None) -> None:
        super().__init__(404, "not_found", "Not found", f"There is no such {what}.", field=field)


class SourceNotKeptError(Problem):
    """The message is there, but not as it was sent."""

    def __init__(self, state: str) -> None:
        said = f"The message is {state}, and no copy of it as it was sent is kept."
        super().__init__(404, "source_not_kept", "The message's source is not kept", said, state=state)


class BadRequestError(Problem):
    """What was sent cannot be read."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(400, code, "The request cannot be read", detail)


class UnsupportedMediaError(Problem):
    """The body is of a type that this endpoint does not take."""

    def __init__(self, wanted: str) -> None:
        super().__init__(415, "unsupported_media_type", "Unsupported media type", f"Send the body as {wanted}.")


class TooLargeError(Problem):
    """The body is larger than this endpoint takes."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, "too_large", "The body is too large", f"At most {limit:,} bytes are taken.", limit=limit)


class InvalidFieldError(Problem):
    """A field whose value only the data can refuse."""

    def __init__(self, field: str, message: str, **extra: Any) -> None:
        named = [{"field": field, "message": message}]
        super().__init__(
            422, "invalid", "The request is not valid", f"{field}: {message}", field=field, errors=named, **extra
        )


class TemplateRefusedError(Problem):
    """A template that cannot be accepted or rendered; part, line and message say where and why."""

    def __init__(self, error: TemplateError, *, field: str | None = None, **extra: Any) -> None:
        super().__init__(
            422,
            "template_refused",
            "The template is refused",
            str(error),
            field=field or error.part,
            part=error.part,
            line=error.line,
            message=error.message,
            **extra,
        )


class InvalidFilterError(Problem):
    """A filter that cannot be used; position counts characters from 0, expected lists what could stand there."""

    def __init__(self, error: FilterError, *, field: str = "filter") -> None:
        super().__init__(
            422,
            "invalid_filter",
            "The filter cannot be used",
            str(error),
            field=field,
            position=error.position,
            expected=list(error.expected),
        )


class FilterTooSlowError(Problem):
    """A filter that found too little in the time there is; unindexed names attributes whose index would help."""

    def __init__(self, unindexed: tuple[str, ...]) -> None:
        help_ = f" An index would help: on {', '.join(unindexed)}." if unindexed else ""
        said = f"Looking for the contacts took too long. Add a condition that few contacts meet.{help_}"
        super().__init__(422, "filter_too_slow", "The filter is too slow", said, field="filter", unindexed=unindexed)


class ConflictError(Problem):
    """The request is valid, but not as things stand."""

    def __init__(self, code: str, detail: str, *, field: str | None = None, **extra: Any) -> None:
        super().__init__(409, code, "Not as things stand", detail, field=field, **extra)


class PreconditionFailedError(Problem):
    """Somebody else changed the thing after the editor had read it (RFC 9110 13.1.1)."""

    def __init__(self, revision: int) -> None:
        super().__init__(
            412,
            "changed_meanwhile",
            "Changed meanwhile",
            f"This is at revision {revision} now, which If-Match does not name: read it again and repeat the change.",
            headers={"ETag": f'"{revision}"'},
            revision=revision,
        )


class KeyReusedError(Problem):
    """An Idempotency-Key that stands for another request."""

    def __init__(self) -> None:
        super().__init__(
            422,
            "idempotency_key_reused",
            "The Idempotency-Key is another request's",
            "An earlier request with this key had another path or body: use a new key for a new request.",
            field="Idempotency-Key",
        )


class InProgressError(Problem):
    """The first request with an Idempotency-Key has not been answered yet."""

    def __init__(self) -> None:
        super().__init__(
            409,
            "in_progress",
            "The first request is under way",
            "A request with this Idempotency-Key is being worked on: ask again for its answer.",
            headers={"Retry-After": "1"},
        )


class RateLimitedError(Problem):
    """The API key has used up what it may."""

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(
            429,
            "rate_limited",
            "Too many requests",
            f"This API key may go on in {wait_seconds} s.",
            headers={"Retry-After": str(wait_seconds)},
        )


class IllegalTransitionError(ConflictError):
    """The thing is in a state from which this does not lead on."""

    def __init__(self, what: str, state: str, action: str) -> None:
        super().__init__("illegal_transition", f"The {what} is {state}: {action} is not possible.", state=state)


class UnauthorizedError(Problem):
    """No key, or not one that is valid; the answer does not tell which part of it is wrong."""

    def __init__(self) -> None:
        super().__init__(
            401,
            "unauthorized",
            "Unauthorized",
            "Send a valid API key: Authorization: Bearer pr_...",
            headers={"WWW-Authenticate": 'Bearer realm="postroad"'},
        )


class ForbiddenError(Problem):
    """The key is valid, but its role or its scopes do not hold this."""

    def __init__(self, has: str, needed: str) -> None:
        super().__init__(403, "forbidden", "Forbidden", f"The key has {has}; this needs {needed}.", needed=needed)


_TAKEN: Final = {
    "contacts_email": ("email", "Another contact has this address."),
    "contacts_external_id": ("external_id", "Another contact has this external id."),
    "accounts_external_id": ("external_id", "Another account has this external id."),
    "attributes_name": ("name", "Another attribute has this name."),
    "templates_name": ("name", "Another template has this name."),
    "senders_name": ("name", "Another sender has this name."),
    "tenants_pkey": ("Idempotency-Key", "An earlier request with this key has made a tenant: use a new key."),
    "sequences_name": ("name", "Another sequence has this name."),
}


def from_constraint(error: IntegrityConstraintViolationError) -> Problem:
    """The answer to a row that the database did not take."""
    constraint = str(getattr(error, "constraint_name", None) or "")
    if isinstance(error, UniqueViolationError) and constraint in _TAKEN:
        field, detail = _TAKEN[constraint]
        return ConflictError("taken", detail, field=field)
    if isinstance(error, ForeignKeyViolationError):
        return ConflictError("in_use", "Something that this refers to, or that refers to this, changed meanwhile.")
    raise error
