"""Starts everything or finds it running, plays a sequence with its recipients, shows the proof."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

from examples.demo.funnel import follow
from examples.demo.player import Player
from examples.demo.report import account, show_account, show_next, show_samples
from examples.demo.scene import EXAMPLES, Scene, set_scene
from examples.demo.stage import Stage, found_stage, raised_stage
from postroad.cli.session import OPERATOR_TOKEN
from postroad.cli.words import output, plain
from postroad.errors import PostroadError
from postroad_stack import StackError


class DemoError(Exception):
    """The demo cannot be played as asked for."""


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make demo ARGS=…", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end by itself; exit 1 if the counts differ")
    parser.add_argument("--seed", type=int, default=4, help="who does what; the same seed plays the same people")
    parser.add_argument("--contacts", type=Path, default=EXAMPLES / "contacts.csv", help="another CSV")
    parser.add_argument("--patience", type=float, default=55.0, help="seconds that the play may take after set-up")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--logs", type=Path, help="keep the services' logs in this directory")
    where.add_argument(
        "--against", metavar="URL", help=f"play with the services of a running API; needs {OPERATOR_TOKEN}"
    )
    parser.add_argument(
        "--mail-host",
        default=socket.gethostname(),
        help="with --against: the name or address by which those services reach this machine (%(default)s)",
    )
    return parser.parse_args(arguments)


def read_people(file: Path) -> bytes:
    """The CSV of contacts; raises OSError, or DemoError when nobody is in it."""
    people = file.read_bytes()
    if not people.partition(b"\n")[2].strip():
        raise DemoError(f"{file} names nobody: a header line and a line for each person are needed")
    return people


def stage_of(options: argparse.Namespace) -> AbstractAsyncContextManager[Stage]:
    """A stage of our own, or the one that is asked for; raises DemoError without the operator's token for it."""
    if options.against is None:
        return raised_stage(options.logs)
    token = os.environ.get(OPERATOR_TOKEN, "").strip()
    if not token:
        raise DemoError(f"set {OPERATOR_TOKEN} to the token of the operator of {options.against}")
    return found_stage(options.against, token, options.mail_host)


async def demo(options: argparse.Namespace, people: bytes) -> int:
    """The whole play with the people of a CSV; returns the exit code."""
    async with stage_of(options) as stage, set_scene(stage, people, options.seed) as scene:
        output.print(
            plain(
                f"Set up in {stage.set_up_seconds:.0f} s. {scene.imported.counts.get('created', 0)} contacts imported, "
                f"{scene.imported.counts.get('rejected', 0)} rejected; seed {options.seed}."
            )
        )
        player = Player(stage.smtp, scene.people, scene.provider, scene.link_hosts)
        playing = asyncio.create_task(player.play())
        try:
            agreed = await _play(scene, player, partial(_check, stage, playing), options.patience)
            if not options.once:
                await _stay(stage, scene, player, playing)
            return 0 if agreed else 1
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)


def _check(stage: Stage, playing: asyncio.Task[None]) -> None:
    """Raise what makes going on pointless: a service or the player has ended."""
    stage.check()
    if playing.done():
        playing.result()


async def _play(scene: Scene, player: Player, check: Callable[[], None], patience: float) -> bool:
    """Enroll everybody, follow the sequence to its end and give account; whether both sides agree."""
    began = time.monotonic()
    enrolling = await scene.client.enrollments.bulk(scene.sequence.id, all=True)
    await scene.client.wait_for_job(enrolling, interval=0.1)
    stats = await follow(scene, player, check=check, patience=patience)
    output.print(plain(f"Played in {time.monotonic() - began:.0f} s."))
    lines, proofs = await account(scene, player, stats)
    show_account(scene, player, stats, lines, proofs)
    await show_samples(scene, player)
    return all(line.agrees for line in lines)


async def _stay(stage: Stage, scene: Scene, player: Player, playing: asyncio.Task[None]) -> None:
    """Until Ctrl-C; the recipients go on."""
    player.start_over()
    show_next(stage, scene)
    output.print(plain("Everything stays up until Ctrl-C.", style="bold"))
    await playing


def main() -> int:
    """Run the demo; Ctrl-C and SIGTERM end it in order."""
    options = parse_arguments(sys.argv[1:])

    async def run() -> int:
        this = asyncio.current_task()
        if this is not None:
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, this.cancel)
        return await demo(options, people)

    try:
        people = read_people(options.contacts)
        return asyncio.run(run())
    except asyncio.CancelledError:
        return 0 if not options.once else 130
    except (DemoError, StackError, PostroadError, OSError) as error:
        sys.stderr.write(f"demo: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
