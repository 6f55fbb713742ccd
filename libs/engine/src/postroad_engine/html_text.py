"""The plain text of an HTML mail, for whoever reads without HTML: links as `text (url)`, a line for each block."""

import re
from typing import assert_never

from postroad_engine.html_tokens import End, Start, Text, tokens

# A block asks for a line or a paragraph of its own; what neighbours ask for is one break, the larger. The requests are
# characters of private use, so that they can wait in a template until it is known which blocks stand next to it.
LINE = "\ue002"
_WIDE = "\ue003"
PARAGRAPH = LINE + _WIDE + LINE
REQUESTS = f" *+{LINE}[ {LINE}{_WIDE}]*+"

_SKIPPED = frozenset({"head", "style", "script", "title"})
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "hr"})
_LINES = frozenset({"div", "tr", "li", "section", "header", "footer", "article", "center", "body"})
_BLANKS = re.compile(r"[ \t\r\n\f]+")
_BLANKS_AT_BREAK = re.compile(r" *\n *")


def html_to_text(html: str) -> str:
    """Text with at most one blank line between blocks and none at its ends."""
    return break_lines(raw_text(html))


def raw_text(html: str) -> str:
    """The text with its requests for breaks still in it."""
    reader = _Reader()
    reader.read(html)
    return _BLANKS_AT_BREAK.sub("\n", re.sub(" {2,}", " ", "".join(reader.pieces)))


def break_lines(raw: str) -> str:
    """The text with each run of requests answered."""
    pieces: list[str] = []
    breaks = 0
    for piece in raw.split(LINE):
        text = piece.strip(" ")
        if text == _WIDE:
            breaks = 2
        elif text:
            pieces += ("\n" * breaks, text)
            breaks = 0
        breaks = max(breaks, 1)
    return "".join(pieces).strip()


def answer(run: re.Match[str]) -> str:
    """The line breaks for a run of requests."""
    return "\n\n" if _WIDE in run[0] else "\n"


class _Reader:
    """Collects the text of a document."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._skipping = 0
        self._link: tuple[str, int] | None = None

    def read(self, html: str) -> None:
        for token in tokens(html):
            match token:
                case Text():
                    self._text(token.text)
                case Start():
                    self._start(token)
                case End():
                    self._end(token.name)
                case _:
                    assert_never(token)

    def _text(self, text: str) -> None:
        if not self._skipping:
            self.pieces.append(_BLANKS.sub(" ", text))

    def _start(self, tag: Start) -> None:
        if tag.name in _SKIPPED:
            self._skipping += 1
        elif tag.name == "a":
            self._link = tag.attributes.get("href", "").strip(), len(self.pieces)
        else:
            self.pieces.append(_opening(tag))

    def _end(self, name: str) -> None:
        if name in _SKIPPED:
            self._skipping = max(0, self._skipping - 1)
        elif name == "a" and self._link is not None:
            self._close_link(*self._link)
            self._link = None
        else:
            self.pieces.append(_around(name))

    def _close_link(self, url: str, start: int) -> None:
        shown = "".join(self.pieces[start:]).strip()
        if url and not url.startswith(("#", "mailto:", "tel:")) and shown != url:
            self.pieces.append(f" ({url})" if shown else url)


def _opening(tag: Start) -> str:
    match tag.name:
        case "br":
            return "\n"
        case "li":
            return f"{LINE}- "
        case "img":
            return tag.attributes.get("alt", "")
        case "td" | "th":
            return " "
        case _:
            return _around(tag.name)


def _around(name: str) -> str:
    return PARAGRAPH if name in _PARAGRAPHS else LINE if name in _LINES else ""
