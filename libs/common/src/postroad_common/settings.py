"""Settings: read once from POSTROAD_* names in the environment, and a name that nobody knows stops the start.

A field here is POSTROAD_<FIELD>. A service subclasses CommonSettings with
`model_config = SettingsConfigDict(env_prefix="POSTROAD_SENDER_")`; its own fields are then POSTROAD_SENDER_<FIELD>.
"""

import os
import re
from difflib import get_close_matches
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from yarl import URL

from postroad_common.errors import SettingsError, words_of
from postroad_common.sealing import KeyRing

PREFIX: Final = "POSTROAD_"
FOREIGN: Final = (
    "POSTROAD_SEQUENCE_API_",
    "POSTROAD_SCHEDULER_",
    "POSTROAD_SENDER_",
    "POSTROAD_TRACKER_",
    "POSTROAD_STACK",
    "POSTROAD_DEMO_",
    "POSTROAD_PROVE",
    "POSTROAD_BENCH",
    "POSTROAD_TEST_",
    "POSTROAD_URL",
    "POSTROAD_API_KEY",
    "POSTROAD_ROLE_PASSWORD",
    "POSTROAD_OPERATOR_TOKEN",
    "POSTROAD_TRACKING_URL",
)
"""Beginnings of names that belong to other programs of ours: not for this one to judge."""


def _common(name: str, description: str, **options: Any) -> Any:
    """A field of every service: its name does not take the service's prefix."""
    return Field(validation_alias=PREFIX + name.upper(), description=description, **options)


def _readable_keys(value: SecretStr) -> SecretStr:
    KeyRing.parse(value.get_secret_value())
    return value


_BASE_URL: Final = re.compile(
    r"https?://[A-Za-z0-9.-]+(:\d{1,5})?(/[A-Za-z0-9._~/-]*)?|https?://\[[0-9A-Fa-f:.]+\](:\d{1,5})?(/[A-Za-z0-9._~/-]*)?"
)


def _base_url(value: str) -> str:
    """An address that paths can be put behind, as it stands in mails and headers; without a slash at its end."""
    try:
        sound = _BASE_URL.fullmatch(value) is not None and bool(URL(value).host)
    except ValueError:
        sound = False
    if not sound:
        raise ValueError("an address such as https://track.example.com is needed: plain ASCII, no user, query or space")
    return value.rstrip("/")


class CommonSettings(BaseSettings):
    """What every service reads."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        hide_input_in_errors=True,
        env_ignore_empty=True,
    )

    database_url: SecretStr = _common(
        "database_url", "PostgreSQL, with the service's own login role: `postgresql://postroad_sender:…@host/db`."
    )
    amqp_url: SecretStr = _common("amqp_url", "RabbitMQ with its virtual host: `amqp://user:…@host/vhost`.")
    secret_keys: Annotated[SecretStr, AfterValidator(_readable_keys)] = _common(
        "secret_keys",
        "Keys that seal stored secrets and tokens: `k2:<base64>,k1:<base64>`, 32 random bytes each. "
        "The first is used, the others still open what they sealed.",
    )
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = _common(
        "log_level", "debug, info, warning or error.", default="info"
    )
    otlp_endpoint: str | None = _common(
        "otlp_endpoint", "Base URL of an OTLP/HTTP receiver for traces; none: traces go nowhere.", default=None
    )
    trace_sample_ratio: Annotated[float, Field(ge=0, le=1)] = _common(
        "trace_sample_ratio",
        "Share of new traces that are recorded; a trace begun elsewhere keeps its answer.",
        default=0.01,
    )
    http_host: str = _common("http_host", "Address to listen on.", default="127.0.0.1")
    http_port: Annotated[int, Field(ge=0, le=65535)] = _common(
        "http_port", "Port to listen on; 0: any free one, printed in the `listening` line.", default=0
    )
    database_connections: Annotated[int, Field(ge=1, le=200)] = _common(
        "database_connections", "Size of this process's connection pool.", default=10
    )
    start_seconds: Annotated[float, Field(gt=0)] = _common(
        "start_seconds", "How long to wait at start for the database and the broker before giving up.", default=60.0
    )
    drain_seconds: Annotated[float, Field(ge=0)] = _common(
        "drain_seconds", "After SIGTERM, how long work in hand may take to end.", default=20.0
    )
    if __debug__:
        fault_kill: str | None = _common(
            "fault_kill",
            "For crash tests: `point:n` kills the process when it reaches the named point for the n-th time. "
            "Absent under `python -O`.",
            default=None,
        )


class LinkSettings(CommonSettings):
    """What those services read besides that give out addresses of the tracker."""

    tracking_url: Annotated[str, AfterValidator(_base_url)] = _common(
        "tracking_url",
        "Public base URL of the tracker, `https://track.example.com`: as it stands in mails and in webhook addresses.",
    )


SettingsT = TypeVar("SettingsT", bound=CommonSettings)


def load_settings(cls: type[SettingsT]) -> SettingsT:
    """The settings of a service; raises SettingsError that names each wrong or unknown name, never a value."""
    unknown = _unknown_names(cls)
    if unknown:
        raise SettingsError("; ".join(unknown))
    try:
        return cls()
    except ValidationError as error:
        raise SettingsError("; ".join(_explain(cls, error))) from None  # the cause would show values


def env_name(cls: type[CommonSettings], field: str) -> str:
    """The environment name of a field."""
    alias = cls.model_fields[field].validation_alias
    if isinstance(alias, str):
        return alias
    return (cls.model_config.get("env_prefix", PREFIX) + field).upper()


def _unknown_names(cls: type[CommonSettings]) -> list[str]:
    known = [env_name(cls, field) for field in cls.model_fields]
    own = cls.model_config.get("env_prefix", PREFIX)
    foreign = tuple(beginning for beginning in FOREIGN if beginning != own)
    return [
        _suggest(name, known)
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and name not in known and not name.startswith(foreign)
    ]


def _suggest(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]}?" if close else "no setting has a name like it"
    return f"{name} is not a setting: {hint}"


def _explain(cls: type[CommonSettings], error: ValidationError) -> list[str]:
    texts = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        where = str(problem["loc"][0]) if problem["loc"] else ""
        name = env_name(cls, where) if where in cls.model_fields else where
        texts.append(f"{name}: {'is required' if problem['type'] == 'missing' else words_of(problem)}")
    return texts
