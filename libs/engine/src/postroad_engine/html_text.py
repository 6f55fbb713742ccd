"""The plain text of an HTML mail, for whoever reads without HTML: links as `text (url)`, one line per block."""

import re
from html.parser import HTMLParser

from typing_extensions import override

_SKIPPED = frozenset({"head", "style", "script", "title"})
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "hr"})
_LINES = frozenset({"div", "tr", "li", "section", "header", "footer", "article", "center", "body"})
_BLANKS = re.compile(r"[ \t\r\n\f]+")
_SPARE_BLANKS = re.compile(r" *\n *")
_SPARE_LINES = re.compile(r"\n{3,}")


def html_to_text(html: str) -> str:
    """Text with at most one blank line in a row and none at its ends."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    """Collects the text of a document."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[str] = []
        self._skipping = 0
        self._links: list[tuple[str, int]] = []

    def text(self) -> str:
        text = re.sub(r" {2,}", " ", "".join(self._pieces))
        return _SPARE_LINES.sub("\n\n", _SPARE_BLANKS.sub("\n", text)).strip()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SKIPPED:
            self._skipping += 1
            return
        given = dict(attrs)
        if tag == "a":
            self._links.append(((given.get("href") or "").strip(), len(self._pieces)))
        self._pieces.append(self._opening(tag, given))

    def _opening(self, tag: str, attrs: dict[str, str | None]) -> str:
        match tag:
            case "br":
                return "\n"
            case "li":
                return "\n- "
            case "img":
                return attrs.get("alt") or ""
            case "td" | "th":
                return " "
            case _:
                return "\n\n" if tag in _PARAGRAPHS else "\n" if tag in _LINES else ""

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag in _SKIPPED:
            self._skipping = max(0, self._skipping - 1)
        elif tag == "a" and self._links:
            self._close_link(*self._links.pop())
        elif tag in _PARAGRAPHS:
            self._pieces.append("\n\n")
        elif tag in _LINES:
            self._pieces.append("\n")

    def _close_link(self, url: str, start: int) -> None:
        shown = "".join(self._pieces[start:]).strip()
        if url and not url.startswith(("#", "mailto:", "tel:")) and shown != url:
            self._pieces.append(f" ({url})" if shown else url)

    @override
    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self._pieces.append(_BLANKS.sub(" ", data))
