"""Tracking in finished HTML: links rewritten, a pixel added; all else is left as it is."""

import re
from collections.abc import Callable, Collection
from html import escape, unescape

# The href of an <a>: attributes before it are skipped whole, so that an href inside another attribute's value, or in
# a comment, is not taken for one.
_ATTRIBUTE = r"""\s+[^\s=>"'/]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'>]+))?"""
_HREF = re.compile(
    rf"""<!--.*?(?:-->|\Z)|(<a(?:(?!\s+href\s*=){_ATTRIBUTE})*+\s+href\s*=\s*)(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""",
    re.IGNORECASE | re.DOTALL,
)
_HTTP = re.compile(r"\s*https?://", re.IGNORECASE)
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)


def rewrite_links(html: str, to_url: Callable[[str], str], *, keep: Collection[str] = ()) -> str:
    """Each http and https target of an `<a href>` replaced by `to_url(target)`, except those in `keep`.

    Targets are passed with their entities resolved and go back escaped. Other schemes and anchors stay.
    """

    def rewritten(match: re.Match[str]) -> str:
        head = match[1]
        if head is None:
            return match[0]
        target = unescape(match[2] or match[3] or match[4] or "").strip()
        if _HTTP.match(target) is None or target in keep:
            return match[0]
        return f'{head}"{escape(to_url(target))}"'

    return _HREF.sub(rewritten, html)


def add_pixel(html: str, url: str) -> str:
    """A 1 x 1 image of `url` before the last `</body>`, or at the end when there is none."""
    pixel = f'<img src="{escape(url)}" width="1" height="1" alt="" style="display:none">'
    position = max((match.start() for match in _BODY_END.finditer(html)), default=len(html))
    return html[:position] + pixel + html[position:]
