"""HTML cut into tags and text, in time linear in its length whatever it holds.

The standard library's parser takes hours over a quarter of a megabyte of unfinished tags.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape

VALUE = r"""(?:"[^"]*"|'[^']*'|[^\s"'<>]+)"""
_TAG = re.compile(
    r"""<!--.*?(?:-->|\Z)|<[!?][^>]*(?:>|\Z)|<(/?)([a-zA-Z][^\s/<>]*)((?:[^"'<>]|"[^"]*"|'[^']*')*+)>""", re.DOTALL
)
_ATTRIBUTE = re.compile(rf"""([^\s=>"'/<]+)(?:\s*=\s*({VALUE}))?""")


@dataclass(frozen=True, slots=True)
class Text:
    """What stands between tags, its entities resolved."""

    text: str


@dataclass(frozen=True, slots=True)
class Start:
    """An opening tag; names are in small letters, values have their entities resolved."""

    name: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class End:
    """A closing tag."""

    name: str


def tokens(html: str) -> Iterator[Text | Start | End]:
    """The document in order; comments and declarations are left out."""
    position = 0
    for match in _TAG.finditer(html):
        if match.start() > position:
            yield Text(resolved(html[position : match.start()]))
        position = match.end()
        closing, name, attributes = match.groups()
        if name is not None:
            yield End(name.lower()) if closing else Start(name.lower(), _attributes(attributes))
    if position < len(html):
        yield Text(resolved(html[position:]))


def resolved(text: str) -> str:
    """Entities resolved; a text with a number too long to be a character's stays as it is."""
    try:
        return unescape(text)
    except ValueError:
        return text


def unquoted(value: str) -> str:
    """An attribute's value without the quotes around it, its entities resolved."""
    return resolved(value[1:-1] if value[0] in "\"'" else value)


def _attributes(source: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in _ATTRIBUTE.findall(source):
        found.setdefault(name.lower(), unquoted(value) if value else "")
    return found
