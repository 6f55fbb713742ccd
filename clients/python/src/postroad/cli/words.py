"""Text for terminals: two consoles, and everything that came from outside made harmless."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

output = Console(soft_wrap=not sys.stdout.isatty())
"""What is piped keeps its sentences whole: only a terminal has a width."""
errors = Console(stderr=True, style="red")


def plain(value: object, style: str = "") -> Text:
    """Text without markup and without control characters, which could steer the terminal."""
    shown = "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in str(value))
    return Text(shown, style=style)


def moment(at: datetime | None) -> str:
    """A time in UTC to the second."""
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def table(*columns: str, numbers: Sequence[str] = (), title: str | None = None) -> Table:
    """A table whose named columns hold numbers."""
    made = Table(title=title, title_justify="left", header_style="bold underline", box=None, padding=(0, 1, 0, 0))
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left")
    return made
