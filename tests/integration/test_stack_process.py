"""Child processes that are ours to start, signal and end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from postroad_stack import StartError, eventually
from postroad_stack.process import Process

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
PARENT = """
import sys, time
from pathlib import Path
from postroad_stack.process import Process
child = Process(["sleep", "60"], log=Path(sys.argv[1]))
print(child.pid, flush=True)
time.sleep(60)
"""


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def test_the_output_goes_to_the_log_and_the_code_comes_back(tmp_path: Path) -> None:
    process = Process(["sh", "-c", "echo hello; exit 3"], log=tmp_path / "log", env={"PATH": os.environ["PATH"]})
    assert await process.wait(timeout=10) == 3
    assert process.log_tail() == "hello"
    with pytest.raises(StartError, match="ended with 3:\nhello"):
        process.check_running()


async def test_the_id_is_the_programs_own(tmp_path: Path) -> None:
    process = Process(["sh", "-c", "echo $$"], log=tmp_path / "log")
    await process.wait(timeout=10)
    assert process.log_tail() == str(process.pid)


async def test_terminate_asks_first_and_kills_what_does_not_follow(tmp_path: Path) -> None:
    async with Process(["sleep", "60"], log=tmp_path / "polite") as polite:
        assert await polite.terminate() == -signal.SIGTERM
    stubborn = Process([sys.executable, "-c", STUBBORN], log=tmp_path / "stubborn")
    await eventually(lambda: stubborn.log_tail() == "up")
    assert await stubborn.terminate(timeout=0.2) == -signal.SIGKILL


async def test_a_stopped_process_does_nothing_until_it_is_continued(tmp_path: Path) -> None:
    async with Process(["sleep", "60"], log=tmp_path / "log") as process:
        process.stop()
        await eventually(lambda: state(process.pid) == "T")
        with pytest.raises(TimeoutError):
            await process.wait(timeout=0.05)
        process.cont()
        await eventually(lambda: state(process.pid) == "S")


async def test_kill_takes_the_children_along(tmp_path: Path) -> None:
    process = Process(["sh", "-c", "sleep 60 & echo $!; wait"], log=tmp_path / "log")
    child = int(await eventually(process.log_tail))
    assert await process.kill() == -signal.SIGKILL
    await eventually(lambda: not Path(f"/proc/{child}").exists() or state(child) == "Z")


def child_of_killed_parent(log: Path) -> int:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(log)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    return child


async def test_no_process_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    child = child_of_killed_parent(tmp_path / "log")
    await eventually(lambda: not Path(f"/proc/{child}").exists() or state(child) == "Z")
