"""The text part of a template whose author wrote only HTML, derived once when it is saved.

Jinja's tags go through the conversion as marks and come back unchanged, so the text says what the HTML says for each
contact at next to no cost when rendering.
"""

import re
from collections.abc import Iterator

import jinja2

from postroad_engine.html_text import PARAGRAPH, REQUESTS, answer, break_lines, raw_text

# Characters of private use, which mean nothing in a mail.
_OPEN, _CLOSE = "\ue000", "\ue001"
_OURS = str.maketrans("", "", _OPEN + _CLOSE + PARAGRAPH)
_MARK = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")
_FAR_FROM_TAGS = re.compile(f"(?<=[^{_CLOSE} {PARAGRAPH}]){REQUESTS}(?=[^{_OPEN} {PARAGRAPH}])")
_BRACE = re.compile(rf"\{{(?=[{{%#{_OPEN}])")
_DROPPED = frozenset({"raw_begin", "raw_end", "comment_begin", "comment", "comment_end"})
_TAG_ENDS = frozenset({"variable_end", "block_end"})


def derive_text(environment: jinja2.Environment, html: str) -> str:
    """The source of a text template, from that of an HTML template which compiles; finish what it renders."""
    tags: list[str] = []
    text = raw_text("".join(_marked(environment, html, tags)))
    # Next to a tag it depends on the contact which blocks become neighbours.
    text = _FAR_FROM_TAGS.sub(answer, text)
    # What was an entity or raw in HTML must not become a tag in the text.
    text = _BRACE.sub('{{ "{" }}', text)
    return _MARK.sub(lambda match: tags[int(match[1])], text)


def finish_text(rendered: str) -> str:
    """The text of a derived template, its blocks now known."""
    return break_lines(rendered) + "\n"


def _marked(environment: jinja2.Environment, html: str, tags: list[str]) -> Iterator[str]:
    tag: list[str] = []
    for _, kind, value in environment.lex(html):
        if kind == "data":
            yield value.translate(_OURS)
        elif kind not in _DROPPED:
            tag.append(value)
            if kind in _TAG_ENDS:
                yield f"{_OPEN}{len(tags)}{_CLOSE}"
                tags.append("".join(tag))
                tag = []
