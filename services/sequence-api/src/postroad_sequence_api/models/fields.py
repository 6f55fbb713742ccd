"""The types of fields: what may stand in a header, an address, a zone, a span. Each says no in words for people."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, time, timedelta
from functools import lru_cache
from ipaddress import ip_address
from typing import Annotated, Any, Final
from zoneinfo import available_timezones

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    JsonValue,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.config import JsonDict

from postroad_engine.delays import format_delay, format_time_of_day, parse_delay, parse_time_of_day

_LINE_BREAKERS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LABELS: Final = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?"
_HOST: Final = re.compile(rf"(?=.{{1,253}}$){_LABELS}")
_PLAIN_LOCAL_PART: Final = re.compile(
    r"(?=.{1,64}$)[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII | re.IGNORECASE
)  # RFC 5321: a dot-string of 64 octets at most
_DATED: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")
_EARLIEST: Final = datetime(1900, 1, 1)  # noqa: DTZ001 - compared without offsets
_LATEST: Final = datetime(9000, 1, 1)  # noqa: DTZ001
_ADDRESS_LENGTH: Final = 254  # RFC 5321, erratum 1690
EXAMPLE_ID: Final = "019a9e2c-7c1f-7f3a-9b6d-2f4c1a5e8d70"
"""An id as examples show it."""
ZONES: Final = frozenset(available_timezones())


def one_line(value: str) -> str:
    """Text for a header: no control character, so that nothing can be injected after it; spaces around it go."""
    if not value.isprintable() and (found := _LINE_BREAKERS.search(value)):
        raise ValueError(f"must be one line without control characters (found U+{ord(found[0]):04X})")
    return value.strip()


def not_blank(value: str) -> str:
    """Text that says something."""
    if not value:
        raise ValueError("must not be blank")
    return value


def without_nul(value: str) -> str:
    """Text that the database can hold."""
    if "\x00" in value:
        raise ValueError("must not contain NUL")
    return value


def normal_address(value: str) -> str:
    """An address in the form that is stored and compared: lower case, an international domain as A-labels.

    Whether the domain exists is not asked. Local parts are ASCII: hardly any server takes others (RFC 6531).
    """
    one_line(value)
    local_part, _, domain = value.rpartition("@")
    if len(value) <= _ADDRESS_LENGTH and _PLAIN_LOCAL_PART.fullmatch(local_part):
        domain = _normal_domain(domain)  # a file of contacts has many addresses and few domains
        if len(local_part) + 1 + len(domain) <= _ADDRESS_LENGTH:
            return f"{local_part.lower()}@{domain}"
    return _validated(value)


def normal_domain(value: str) -> str:
    """The domain of a company in the form in which addresses have theirs."""
    return _validated(f"x@{one_line(value)}").removeprefix("x@")


@lru_cache(maxsize=4096)
def _normal_domain(domain: str) -> str:
    return _validated(f"x@{domain}").removeprefix("x@")


def _validated(value: str) -> str:
    try:
        parsed = validate_email(
            value, check_deliverability=False, allow_smtputf8=False, test_environment=True, strict=True
        )
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error
    return f"{parsed.local_part}@{parsed.ascii_domain}".lower()


def known_zone(value: str) -> str:
    """An IANA time zone by its exact name."""
    if value not in ZONES:
        raise ValueError("must be an IANA time zone such as Europe/Berlin")
    return value


def host_name(value: str) -> str:
    """A host name or an IP address, nothing around it."""
    if not _HOST.fullmatch(value):
        try:
            ip_address(value)
        except ValueError as error:
            raise ValueError("must be a host name or an IP address") from error
    return value.lower()


def written_out(value: object) -> object:
    """A time with its date (RFC 3339 5.6): a bare number is none, though parsers take it for Unix time."""
    if isinstance(value, str) and _DATED.match(value):
        with suppress(ValueError):
            return datetime.fromisoformat(value.upper())
    if isinstance(value, datetime):
        return value
    raise ValueError("must be a time such as 2026-11-22T09:00:00Z")


def within_reach(value: datetime) -> datetime:
    """A time that the database and every reader of JSON can hold, in UTC too."""
    if not _EARLIEST <= value.replace(tzinfo=None) <= _LATEST:
        raise ValueError("must be a time between the years 1900 and 9000")
    return value


def _one_line_secret(value: SecretStr) -> SecretStr:
    one_line(value.get_secret_value())
    return value


_ONE_LINE: Final = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
_SAID_IN_ONE_LINE: Final = (
    r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*[^\s\u0000-\u001f\u007f-\u009f\u2028\u2029]"
    r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
)
_NO_NUL: Final = r"^[^\u0000]*$"
_SPAN_READ: Final[JsonDict] = {
    "anyOf": [
        {"type": "string", "pattern": r"^\s*[0-9]{1,9}\s*[wdhms]\s*$"},
        {"type": "integer", "minimum": 0, "maximum": 31_536_000},
    ],
    "description": 'Weeks, days, hours, minutes or seconds, such as "3d", or a number of seconds: 0 to 365 days.',
    "examples": ["3d", "2h", "90m"],
}
_SPAN_SHOWN: Final[JsonDict] = {
    "type": "string",
    "pattern": r"^[0-9]+[dhms]$",
    "description": "Days, hours, minutes or seconds.",
    "examples": ["3d"],
}
_WALL_TIME: Final[JsonDict] = {
    "type": "string",
    "pattern": r"^\s*([01]?[0-9]|2[0-3]):[0-5][0-9]\s*$",
    "description": "A time of day on the contact's clock.",
    "examples": ["09:30"],
}
_WALL_TIME_SHOWN: Final[JsonDict] = _WALL_TIME | {"pattern": "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"}


def said(**schema: JsonValue) -> Any:
    """What a field's type says of itself in the API's description, beside what pydantic knows."""
    return Field(json_schema_extra=schema)


def cursor(pattern: str, read: Callable[[str], object | None]) -> Any:
    """How a query's `after` is read that is no id: read gives None for what no list has answered as `next`."""

    def parse(value: object) -> object:
        found = read(value) if isinstance(value, str) else None
        if found is None:
            raise ValueError("must be the `next` of an earlier answer")
        return found

    schema: JsonDict = {"type": "string", "pattern": f"^{pattern}$", "description": "The `next` of the page before."}
    return PlainValidator(parse, json_schema_input_type=Annotated[str, WithJsonSchema(schema)])


LONGEST_NAME: Final = 200
Line = Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(one_line), said(pattern=_ONE_LINE)]
"""One line of a mail header, perhaps empty, at most 200 characters."""
Name = Annotated[
    str,
    Field(max_length=LONGEST_NAME),
    AfterValidator(one_line),
    AfterValidator(not_blank),
    said(minLength=1, pattern=_SAID_IN_ONE_LINE),
]
"""One line that is not blank."""
Because = Annotated[
    str,
    Field(max_length=1000),
    AfterValidator(one_line),
    AfterValidator(not_blank),
    said(minLength=1, pattern=_SAID_IN_ONE_LINE),
]
"""What somebody goes by, such as a line of a log: one line that is not blank, at most 1,000 characters."""
Address = Annotated[
    str, Field(max_length=254), AfterValidator(normal_address), said(format="email", examples=["ada@example.com"])
]
"""An email address, normalised."""
Zone = Annotated[
    str,
    Field(max_length=64),
    AfterValidator(known_zone),
    said(format="iana-time-zone", description="An IANA time zone.", examples=["Europe/Berlin"]),
]
"""An IANA time zone."""
Host = Annotated[
    str,
    Field(max_length=254),
    AfterValidator(host_name),
    said(
        description="A host name or an IP address.",
        anyOf=[{"pattern": f"^{_LABELS}$"}, {"format": "ipv6"}],
        examples=["smtp.example.com"],
    ),
]
"""A host name or an IP address."""
Password = Annotated[
    SecretStr,
    Field(min_length=1, max_length=500),
    AfterValidator(_one_line_secret),
    said(pattern=_ONE_LINE, examples=["correct horse battery staple"]),
]
"""A secret of one line; never answered."""
Secret = Annotated[str, said(format="password")]
"""A secret that is answered, once: clients keep it out of what they print."""
Span = Annotated[
    timedelta,
    BeforeValidator(parse_delay),
    PlainSerializer(format_delay, return_type=str),
    WithJsonSchema(_SPAN_READ, mode="validation"),
    WithJsonSchema(_SPAN_SHOWN, mode="serialization"),
]
"""A delay of 0 to 365 days, written "3d", or a number of seconds."""
WallTime = Annotated[
    time,
    BeforeValidator(parse_time_of_day),
    PlainSerializer(format_time_of_day, return_type=str),
    WithJsonSchema(_WALL_TIME, mode="validation"),
    WithJsonSchema(_WALL_TIME_SHOWN, mode="serialization"),
]
"""A time of day on the contact's clock, written "09:30"."""
Moment = Annotated[AwareDatetime, BeforeValidator(written_out), AfterValidator(within_reach)]
"""A time with its offset from UTC."""
StepKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$"), said(examples=["welcome"])]
"""The name of a step that lives across versions."""

Source = Annotated[
    str,
    Field(max_length=500_000),
    AfterValidator(without_nul),
    said(pattern=_NO_NUL, examples=['<p>Hello {{ contact.first_name|default("there") }}</p>']),
]
"""The HTML or text part of a template."""
SubjectSource = Annotated[
    str,
    Field(max_length=998),
    AfterValidator(one_line),
    AfterValidator(not_blank),
    said(minLength=1, pattern=_SAID_IN_ONE_LINE, examples=["Welcome, {{ contact.first_name }}"]),
]
"""The subject of a template, at most a header line long (RFC 5322 2.1.1)."""
Text = Annotated[str, Field(max_length=2000), AfterValidator(without_nul), said(pattern=_NO_NUL)]
"""A few sentences, line breaks included."""
