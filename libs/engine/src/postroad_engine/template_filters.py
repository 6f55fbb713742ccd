"""The filters of templates: each gives back at most a few times what it was given, and nothing larger is taken."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import quote

from jinja2 import TemplateRuntimeError, Undefined

MAX_TEXT = 20_000
_MAX_DIGITS = 30


def text_of(value: object) -> str:
    """A value as it is printed; raises when it is not text, a number or a truth value."""
    if isinstance(value, dict | list | tuple):
        raise TemplateRuntimeError("a list or a group of fields cannot be printed; name one of them")
    text = str(value)
    if len(text) > MAX_TEXT:
        raise TemplateRuntimeError(f"a filter takes at most {MAX_TEXT} characters")
    return text


def _default(value: object, alternative: object = "", boolean: object = False) -> object:  # noqa: FBT002 - Jinja's own form
    """What stands in for a missing or empty value; `boolean`: also for 0 and false."""
    empty = isinstance(value, Undefined) or value is None or value == ""
    return alternative if empty or (boolean and not value) else value


def _length(value: object) -> int:
    return len(value) if isinstance(value, dict | list | tuple) else len(text_of(value))


def _first(value: object) -> object:
    return _item(value, 0)


def _last(value: object) -> object:
    return _item(value, -1)


def _item(value: object, index: int) -> object:
    items = value if isinstance(value, list | tuple) else text_of(value)
    if not items:
        raise TemplateRuntimeError("there is no first or last of nothing")
    return items[index]


def _int(value: object, default: int = 0) -> int:
    text = text_of(value).strip()
    try:
        return int(float(text)) if len(text) <= _MAX_DIGITS else default
    except (ValueError, OverflowError):
        return default


def _join(value: object, separator: object = "") -> str:
    if not isinstance(value, list | tuple):
        raise TemplateRuntimeError("join takes a list")
    between, items = text_of(separator), [text_of(item) for item in value]
    if sum(map(len, items)) + len(items) * len(between) > MAX_TEXT:
        raise TemplateRuntimeError(f"join makes at most {MAX_TEXT} characters")
    return between.join(items)


def _truncate(value: object, length: int = 255, end: object = "…") -> str:
    text, tail = text_of(value), text_of(end)
    return text if len(text) <= length else text[: max(0, length - len(tail))].rstrip() + tail


def _urlencode(value: object) -> str:
    return quote(text_of(value), safe="")


FILTERS: Mapping[str, Callable[..., object]] = MappingProxyType(
    {
        "capitalize": lambda value: text_of(value).capitalize(),
        "count": _length,
        "d": _default,
        "default": _default,
        "first": _first,
        "int": _int,
        "join": _join,
        "last": _last,
        "length": _length,
        "lower": lambda value: text_of(value).lower(),
        "title": lambda value: text_of(value).title(),
        "trim": lambda value: text_of(value).strip(),
        "truncate": _truncate,
        "upper": lambda value: text_of(value).upper(),
        "urlencode": _urlencode,
    }
)
