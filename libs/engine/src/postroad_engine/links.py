"""Tracking in finished HTML: links rewritten, a pixel added; all else is left as it is."""

import re
from collections.abc import Callable, Collection
from functools import lru_cache

from postroad_engine.html_tokens import VALUE, unquoted

# A comment, or an <a> up to and with the value of its href. Attributes before it are consumed whole, so that an href
# inside another attribute's value is not taken for one, and so that no part of the text is looked at twice. Letters
# in both cases rather than a flag: with a flag the search loses its fast look for "<".
_HREF = "[hH][rR][eE][fF]"
_ATTRIBUTE = rf"""\s+(?!{_HREF}[\s=])[^\s=>"'/<]+(?:\s*=\s*{VALUE})?"""
_LINK = re.compile(
    rf"""<(?:!--.*?(?:-->|\Z)|([aA](?=\s)(?:{_ATTRIBUTE})*+)(?:\s+{_HREF}\s*=\s*({VALUE}))?)""", re.DOTALL
)
# As browsers read an address (WHATWG URL): these at its ends, and line breaks and tabs anywhere, are no part of it.
_ENDS = "".join(map(chr, range(0x21)))
_BREAKS = dict.fromkeys(map(ord, "\t\r\n"))
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BODY_END = re.compile(r"</[bB][oO][dD][yY]\s*>")


def rewrite_links(html: str, to_url: Callable[[str], str], *, keep: Collection[str] = ()) -> str:
    """Each http and https target of an `<a href>` replaced by `to_url(target)`, except those in `keep`.

    Targets are passed with their entities resolved and go back escaped. Other schemes and anchors stay.
    """

    def rewritten(match: re.Match[str]) -> str:
        start, value = match.groups()
        target = None if value is None else _target(value)
        if target is None or target in keep:
            return match[0]
        return f'<{start} href="{_in_quotes(to_url(target))}"'

    return _LINK.sub(rewritten, html)


def add_pixel(html: str, url: str) -> str:
    """A 1 x 1 image of `url` before the last `</body>`, or at the end when there is none."""
    pixel = f'<img src="{_in_quotes(url)}" width="1" height="1" alt="" style="display:none">'
    position = max((match.start() for match in _BODY_END.finditer(html)), default=len(html))
    return html[:position] + pixel + html[position:]


@lru_cache(maxsize=2048)  # a mail to many has the same links
def _target(value: str) -> str | None:
    """The address in an href as it stands in HTML; None when it is not one of the web."""
    target = unquoted(value).strip(_ENDS).translate(_BREAKS)
    if _CONTROL.search(target):
        return None
    return target if target[:8].lower().startswith(("http://", "https://")) else None


def _in_quotes(text: str) -> str:
    """Escaped for an attribute in double quotes, where only these two mean anything."""
    return text.replace("&", "&amp;").replace('"', "&quot;")
