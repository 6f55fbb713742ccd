"""Bars for what takes a while: on a terminal they move, elsewhere nothing is in the way of the output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text
from typing_extensions import override

from postroad.cli.words import errors, plain


class _Amount(ProgressColumn):
    """How much of what is done: bytes as such, all else as numbers."""

    def __init__(self) -> None:
        super().__init__()
        self._bytes = DownloadColumn()

    @override
    def render(self, task: Task) -> Text:
        if task.fields["unit"] == "bytes":
            return self._bytes.render(task)
        total = f"/{task.total:,.0f}" if task.total is not None else ""
        return Text(f"{task.completed:,.0f}{total} {task.fields['unit']}")


@dataclass(frozen=True)
class Bar:
    """One bar."""

    progress: Progress
    task: TaskID

    def reach(self, done: int, *, total: int | None = None, note: str = "") -> None:
        """Be this far."""
        self.progress.update(self.task, completed=done, total=total, note=plain(note))


@dataclass(frozen=True)
class Bars:
    """Bars below each other."""

    progress: Progress

    def bar(self, name: str, *, unit: str, total: int | None) -> Bar:
        """One more."""
        return Bar(self.progress, self.progress.add_task(plain(name).plain, total=total, unit=unit, note=plain("")))


@contextmanager
def bars() -> Iterator[Bars]:
    """Bars on the terminal, beside the output."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), _Amount(), TimeRemainingColumn())
    note = TextColumn("{task.fields[note]}", markup=False)
    with Progress(*columns, note, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        yield Bars(progress)
