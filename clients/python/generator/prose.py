"""Docstrings."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Final

_WIDTH: Final = 120


def docstring(text: str, *, indent: int, more: Iterable[str] = ()) -> str:
    """A docstring of a text, in its paragraphs, with what stands in one line each behind it."""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    paragraphs[0] += "" if paragraphs[0].endswith((".", "!", "?")) else "."
    parts = ["\n".join(_wrapped(part, indent)) for part in paragraphs]
    if listed := ["\n".join(_wrapped(line, indent, hanging=4)) for line in more]:
        parts.append("\n".join(listed))
    body = "\n\n".join(parts).replace("\\", "\\\\").strip()
    if "\n" not in body and indent + len(body) + 6 <= _WIDTH:
        return f'{" " * indent}"""{body}"""'
    return f'{" " * indent}"""{body}\n{" " * indent}"""'


def _wrapped(text: str, indent: int, hanging: int = 0) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH - (3 if not hanging else 0),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + hanging),
        break_long_words=False,
        break_on_hyphens=False,
    )
