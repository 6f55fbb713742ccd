"""The types of fields: what may stand in a header, an address, a zone, a span. Each says no in words for people."""

import re
from datetime import time, timedelta
from functools import lru_cache
from ipaddress import ip_address
from typing import Annotated, Final
from zoneinfo import available_timezones

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, SecretStr, StringConstraints

from postroad_engine.delays import format_delay, format_time_of_day, parse_delay, parse_time_of_day

_LINE_BREAKERS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_HOST: Final = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?"
)
_PLAIN_LOCAL_PART: Final = re.compile(
    r"(?=.{1,64}$)[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII | re.IGNORECASE
)  # RFC 5321: a dot-string of 64 octets at most
_ADDRESS_LENGTH: Final = 254  # RFC 5321, erratum 1690
ZONES: Final = frozenset(available_timezones())


def one_line(value: str) -> str:
    """Text for a header: no control character, so that nothing can be injected after it; spaces around it go."""
    if found := _LINE_BREAKERS.search(value):
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


def _one_line_secret(value: SecretStr) -> SecretStr:
    one_line(value.get_secret_value())
    return value


Line = Annotated[str, Field(max_length=200), AfterValidator(one_line)]
"""One line of a mail header, perhaps empty, at most 200 characters."""
Name = Annotated[str, Field(max_length=200), AfterValidator(one_line), AfterValidator(not_blank)]
"""One line that is not blank."""
Address = Annotated[str, Field(max_length=254), AfterValidator(normal_address)]
"""An email address, normalised."""
Zone = Annotated[str, Field(max_length=64), AfterValidator(known_zone)]
"""An IANA time zone."""
Host = Annotated[str, Field(max_length=254), AfterValidator(host_name)]
"""A host name or an IP address."""
Password = Annotated[SecretStr, Field(min_length=1, max_length=500), AfterValidator(_one_line_secret)]
"""A secret of one line; never answered."""
Span = Annotated[timedelta, BeforeValidator(parse_delay), PlainSerializer(format_delay, return_type=str)]
"""A delay of 0 to 365 days, written "3d", or a number of seconds."""
WallTime = Annotated[time, BeforeValidator(parse_time_of_day), PlainSerializer(format_time_of_day, return_type=str)]
"""A time of day on the contact's clock, written "09:30"."""
StepKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
"""The name of a step that lives across versions."""

Source = Annotated[str, Field(max_length=500_000), AfterValidator(without_nul)]
"""The HTML or text part of a template."""
SubjectSource = Annotated[str, Field(max_length=998), AfterValidator(one_line), AfterValidator(not_blank)]
"""The subject of a template, at most a header line long (RFC 5322 2.1.1)."""
Text = Annotated[str, Field(max_length=2000), AfterValidator(without_nul)]
"""A few sentences, line breaks included."""
