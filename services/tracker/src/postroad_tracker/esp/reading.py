"""Reading what a provider sent: every value bounded, typed, and fit for PostgreSQL, or a reason why not."""

import ipaddress
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from postroad_tracker.errors import UnreadableBodyError, UnreadableElementError
from postroad_tracker.esp.model import Parsed, Rejected
from postroad_tracker.events import NormalisedEvent

MAX_ELEMENTS: Final = 10_000
"""More events than any provider puts into one request."""

MAX_TEXT: Final = 1_000
MAX_URL: Final = 2_000
MAX_ADDRESS: Final = 320
MAX_ID: Final = 200
MAX_REFERENCES: Final = 20
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)

Element = Mapping[str, Any]


def elements(body: bytes) -> list[Any]:
    """The elements of a JSON array, or the one element that a bare object is; raises UnreadableBodyError."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableBodyError("the body is not JSON") from error
    match document:
        case list():
            found = document
        case dict():
            found = [document]
        case _:
            raise UnreadableBodyError("the body is neither a JSON array nor an object")
    if len(found) > MAX_ELEMENTS:
        raise UnreadableBodyError(f"the body has more than {MAX_ELEMENTS} elements")
    return found


def parse_each(body: bytes, read: Callable[[Element], NormalisedEvent | None]) -> Parsed:
    """Read every element by itself, so that a bad one costs nothing but itself. None from read is an ignored one."""
    events: list[NormalisedEvent] = []
    rejected: list[Rejected] = []
    ignored = 0
    for index, element in enumerate(elements(body)):
        if not isinstance(element, dict):
            rejected.append(Rejected(index, "not an object"))
            continue
        try:
            event = read(element)
        except UnreadableElementError as error:
            rejected.append(Rejected(index, str(error)))
            continue
        if event is None:
            ignored += 1
        else:
            events.append(event)
    return Parsed(tuple(events), tuple(rejected), ignored)


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """The text without what PostgreSQL refuses (NUL, lone surrogates), cut to the limit."""
    return text[:limit].replace("\x00", "").encode("utf-8", "replace").decode()


def text(element: Element, field: str, limit: int = MAX_TEXT) -> str | None:
    """A text field, cleaned; numbers are read as their digits; absent, null, empty and other shapes are None."""
    value = element.get(field)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return clean(str(value), limit).strip() or None


def identifier(element: Element, field: str) -> str | None:
    """An id: a text that is whole or not at all, for a cut id would be another one."""
    value = text(element, field, MAX_ID + 1)
    return value if value and len(value) <= MAX_ID else None


def required(element: Element, field: str) -> str:
    """A text field that an event cannot be without."""
    value = text(element, field)
    if value is None:
        raise UnreadableElementError(f"{field} is missing or not a text")
    return value


def address(value: str | None) -> str | None:
    """A mail address in lower case, or None for what is plainly none."""
    if value is None or len(value) > MAX_ADDRESS or any(c.isspace() for c in value):
        return None
    local, at, domain = value.rpartition("@")
    return clean(value, MAX_ADDRESS).lower() if at and local and domain else None


def ip(value: str | None) -> str | None:
    """An IP address without a zone, or None."""
    try:
        return str(ipaddress.ip_address(value)) if value and "%" not in value else None
    except ValueError:
        return None


def unix_time(element: Element, field: str) -> datetime:
    """Seconds since 1970, as a number or its digits; raises UnreadableElementError."""
    value = element.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise UnreadableElementError(f"{field} is missing or not a time")
    try:
        return _bounded(datetime.fromtimestamp(float(value), UTC), field)
    except (ValueError, OverflowError, OSError) as error:
        raise UnreadableElementError(f"{field} is not a time") from error


def iso_time(element: Element, field: str) -> datetime:
    """An ISO 8601 time, UTC when it names no zone; raises UnreadableElementError."""
    value = element.get(field)
    if not isinstance(value, str):
        raise UnreadableElementError(f"{field} is missing or not a time")
    try:
        read = datetime.fromisoformat(value[:64])
        return _bounded(read.replace(tzinfo=read.tzinfo or UTC).astimezone(UTC), field)
    except (ValueError, OverflowError) as error:
        raise UnreadableElementError(f"{field} is not a time") from error


def _bounded(moment: datetime, field: str) -> datetime:
    if not _EARLIEST <= moment < _LATEST:
        raise UnreadableElementError(f"{field} is not a time of this century")
    return moment


def within(element: Element, field: str) -> Element:
    """A nested object; whatever else stands there is read as an empty one."""
    value = element.get(field)
    return value if isinstance(value, dict) else {}


def each(element: Element, field: str) -> Iterator[Element]:
    """The objects of a nested array; other things in it are passed over."""
    value = element.get(field)
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict):
            yield item
