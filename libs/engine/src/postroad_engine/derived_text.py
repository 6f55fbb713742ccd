"""The text part of a template whose author wrote only HTML, derived once when it is saved.

Jinja's tags go through the conversion as marks and come back unchanged, so the text says what the HTML says for each
contact at no cost when rendering.
"""

import re
from collections.abc import Iterator

import jinja2

from postroad_engine.html_text import html_to_text

_OPEN, _CLOSE = "\ue000", "\ue001"  # private use: they mean nothing in a mail
_MARK = re.compile(f"{_OPEN}([0-9]+)[vb]{_CLOSE}")
_BLOCK_ON_ITS_LINE = re.compile(f"(?m)^({_OPEN}[0-9]+b{_CLOSE})\n+")
_BRACE = re.compile(rf"\{{(?=[{{%#{_OPEN}])")
_ENDS = {"variable_end": "v", "block_end": "b"}
_DROPPED = frozenset({"raw_begin", "raw_end", "comment_begin", "comment", "comment_end"})


def derive_text(environment: jinja2.Environment, html: str) -> str:
    """The source of a text template, from that of an HTML template which compiles."""
    tags: list[str] = []
    text = html_to_text("".join(_marked(environment, html, tags)))
    text = _BLOCK_ON_ITS_LINE.sub(r"\1", text)
    # What was an entity or raw in HTML must not become a tag in the text.
    text = _BRACE.sub('{{ "{" }}', text)
    return _MARK.sub(lambda match: tags[int(match[1])], text) + "\n"


def _marked(environment: jinja2.Environment, html: str, tags: list[str]) -> Iterator[str]:
    tag: list[str] = []
    for _, kind, value in environment.lex(html):
        if kind == "data":
            yield value.replace(_OPEN, "").replace(_CLOSE, "")
        elif kind not in _DROPPED:
            tag.append(value)
            if kind in _ENDS:
                yield f"{_OPEN}{len(tags)}{_ENDS[kind]}{_CLOSE}"
                tags.append("".join(tag))
                tag = []
