"""The funnel filling: what the services report, live, until all is over."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Group
from rich.live import Live

from examples.demo.player import Player
from examples.demo.scene import Scene
from postroad.cli.watch import has_ended, picture, sentence
from postroad.cli.words import output, plain
from postroad.models import SequenceStats

LOOK = 0.4  # seconds between two looks at the stats


Show = Callable[[SequenceStats], None]


async def follow(scene: Scene, player: Player, *, check: Callable[[], None], patience: float) -> SequenceStats:
    """Show the stats until every enrollment has ended and the player has nothing left to do, or patience ends.

    Returns the last stats. Patience is in seconds; `check` raises what makes going on pointless.
    """
    deadline = time.monotonic() + patience
    with _display(scene, player) as show:
        while True:
            check()
            idle = player.idle
            stats = await scene.client.sequences.statistics(scene.sequence.id)
            show(stats)
            if has_ended(stats.enrollments):
                player.sequence_is_over()
            # Idle before the look and nothing under way in it: these stats are the last ones.
            if (idle and player.idle and has_ended(stats.enrollments)) or time.monotonic() > deadline:
                return stats
            await asyncio.sleep(LOOK)


@contextlib.contextmanager
def _display(scene: Scene, player: Player) -> Iterator[Show]:
    if output.is_terminal:
        with Live(console=output, auto_refresh=False) as live:
            yield lambda stats: live.update(_picture(scene, stats, player), refresh=True)
    else:
        yield _Lines()


def _picture(scene: Scene, stats: SequenceStats, player: Player) -> Group:
    return Group(picture(scene.sequence, stats), plain(_played(player), style="dim"))


def _played(player: Player) -> str:
    counts = player.tally.events
    said = ", ".join(f"{counts[what]} {what}" for what in sorted(counts))
    return f"the recipients: {sum(player.tally.arrived.values())} mails in their boxes; {said or 'nothing done yet'}"


class _Lines:
    """For a pipe: a line every two seconds when something has changed."""

    def __init__(self) -> None:
        self._said = ""
        self._next = 0.0

    def __call__(self, stats: SequenceStats) -> None:
        """Print the line."""
        line = sentence(stats)
        if line != self._said and (time.monotonic() >= self._next or has_ended(stats.enrollments)):
            self._said, self._next = line, time.monotonic() + 2
            output.print(plain(line), soft_wrap=True)
