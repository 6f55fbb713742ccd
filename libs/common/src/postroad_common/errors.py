"""The errors of the common package. Those of the broker are in amqp.errors."""

from collections.abc import Mapping
from typing import Any


class CommonError(Exception):
    """Anything that this package refuses."""


class RefError(CommonError):
    """A reference that pack_ref did not write."""


class SettingsError(CommonError):
    """The environment does not describe a service that can start; the text says what to change."""


class SealError(CommonError):
    """Sealed data that was not sealed by us for this purpose and context, or by a key we no longer hold."""


class TokenError(CommonError):
    """A tracking token that is not ours, damaged, or of another kind."""


class TokenTooLongError(TokenError):
    """The URL of a click does not fit into a token."""


class ContractError(CommonError):
    """A message body that is not of the type it claims, or a type nobody knows."""


class QueryMissingError(CommonError, AttributeError):
    """A named query that is not in its .sql file."""


class SchemaTooOldError(CommonError):
    """The database lacks migrations that this build needs; the text names them."""


class MigrationError(CommonError):
    """A migration failed; the text is what the database said."""


class DatabaseLostError(CommonError):
    """The connection went away under a transaction; whether its COMMIT arrived is not known."""


class StartError(CommonError):
    """A service could not start within its time; the text says what it waited for."""


def words_of(fault: Mapping[str, Any]) -> str:
    """What one of pydantic's errors says, to a person: its message without the name of a Python class before it."""
    message: str = fault["msg"]
    return message.removeprefix("Value error, ")
