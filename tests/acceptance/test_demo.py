"""The demo as a newcomer runs it: it plays, counts on its own, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from postroad_stack import Stack
from postroad_stack.eventually import eventually

ROOT = Path(__file__).parents[2]
FEW = "email,first_name,timezone\nada@example.com,Ada,Europe/London\nlin@example.net,林,Asia/Taipei\n"


@contextmanager
def demo(stack: Stack, tmp_path: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A running demo on these servers, its temporary files under tmp_path."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = os.environ | stack.environment() | {"TMPDIR": str(temporary), "COLUMNS": "200"}
    with (tmp_path / "output").open("wb") as output:
        command = [sys.executable, "-m", "examples.demo", *arguments]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)


def said(tmp_path: Path) -> str:
    return (tmp_path / "output").read_text(errors="replace")


async def databases(stack: Stack) -> set[str]:
    """The databases of the server."""
    connection = await asyncpg.connect(stack.postgres.dsn)
    names = {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
    await connection.close()
    return names


def descendants(process: subprocess.Popen[bytes]) -> set[psutil.Process]:
    """Every process that it has started and that runs now."""
    try:
        return set(psutil.Process(process.pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


async def test_the_demo_ends_by_itself_with_every_count_equal_to_what_the_recipients_counted(
    private_stack: Stack, tmp_path: Path
) -> None:
    with demo(private_stack, tmp_path, "--once", "--seed", "11", "--patience", "150") as process:
        await eventually(lambda: process.poll() is not None, timeout=240, interval=0.5, reason="the demo's end")
    shown = said(tmp_path)
    assert process.returncode == 0, shown
    assert "305 contacts imported, 0 rejected" in shown
    assert "counts compared, all equal" in shown
    assert "rules hold" in shown
    for ending in (": replied", ": bounced", ": completed"):
        assert ending in shown, "samples of each ending are shown"


@pytest.mark.prove
async def test_ctrl_c_leaves_no_process_no_file_and_no_database(private_stack: Stack, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text(FEW)
    before = await databases(private_stack)
    with demo(private_stack, tmp_path, "--contacts", str(people), "--patience", "150") as process:
        await eventually(lambda: "stays up until Ctrl-C" in said(tmp_path), timeout=200, interval=0.5)
        started = descendants(process)
        assert {"postroad_sequence_api", "postroad_scheduler", "postroad_sender", "postroad_tracker"} <= {
            word for one in started for word in one.cmdline()
        }
        process.send_signal(signal.SIGINT)
        await eventually(lambda: process.poll() is not None, timeout=60, interval=0.1)
    assert process.returncode == 0, said(tmp_path)
    assert [one for one in started if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
    assert list((tmp_path / "tmp").iterdir()) == []
    assert await databases(private_stack) == before
    assert "Traceback" not in said(tmp_path)


@pytest.mark.parametrize(("contacts", "words"), [("nowhere.csv", "nowhere.csv"), (os.devnull, "names nobody")])
async def test_a_demo_without_people_says_so_and_leaves_nothing(
    private_stack: Stack, tmp_path: Path, contacts: str, words: str
) -> None:
    with demo(private_stack, tmp_path, "--once", "--contacts", contacts) as process:
        await eventually(lambda: process.poll() is not None, timeout=120, interval=0.2)
    assert process.returncode == 1
    assert words in said(tmp_path)
    assert "Traceback" not in said(tmp_path)
    assert list((tmp_path / "tmp").iterdir()) == []
