"""The keeper: a small process that holds our servers and outlives nobody.

It is started as a script, uses the standard library only and lives in a session of its own, so that
Ctrl-C does not reach it. It is the parent of every server and, on Linux, of whatever they leave behind.
When its standard input ends or the process that started it is gone, also by SIGKILL, it stops
everything, removes the directory and ends. Commands and answers are JSON, one a line.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import Any

PREFIX = "postroad-stack-"
PR_SET_CHILD_SUBREAPER = 36
LAUNCH = str(Path(__file__).with_name("launch.py"))
STOP_GRACE = 10.0
"""Seconds that servers have to stop before they are killed."""
IN_MEMORY = "POSTROAD_STACK_IN_MEMORY"
MEMORY = Path("/dev/shm")  # noqa: S108 -- what is made there is private
ROOM = 8 << 30
"""Bytes that memory must have to spare: a run writes some gigabytes of write-ahead log."""


class Keeper:
    """Starts, signals and reaps named programs, and answers for them."""

    def __init__(self) -> None:
        self.root, self._lock = make_root()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._stop_signals: dict[str, int] = {}
        self._at_end: list[list[str]] = []
        self._keep = False

    def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """Carry out one command; `error` in the answer says why not."""
        name = command.get("name", "")
        try:
            match command["do"]:
                case "start":
                    return {"pid": self._start(name, command)}
                case "status":
                    return {"code": self._children[name].returncode}
                case "signal":
                    self._signal(name, command["signal"])
                case "kill":
                    self._kill_tree(name)
                case "at_end":
                    self._at_end.append(command["argv"])
                case "keep":
                    self._keep = True
                case unknown:
                    return {"error": f"no such command: {unknown}"}
        except (OSError, KeyError, subprocess.SubprocessError) as error:
            return {"error": f"{type(error).__name__}: {error}"}
        return {}

    def reap(self) -> None:
        """Collect every child that has ended: our own and those that we inherited."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for child in self._children.values():
                if child.pid == pid:
                    child.returncode = os.waitstatus_to_exitcode(status)

    def stop(self) -> None:
        """Stop everything, newest first; kill what does not follow; leave nothing on disk."""
        for name in reversed(self._children):
            with contextlib.suppress(OSError):
                self._signal(name, self._stop_signals[name])
                self._signal(name, signal.SIGCONT)
        self._wait_until(lambda: not self._running(), STOP_GRACE)
        deadline = time.monotonic() + STOP_GRACE
        while (left := descendants(os.getpid())) and time.monotonic() < deadline:
            send(left, signal.SIGKILL)
            self.reap()
            time.sleep(0.01)
        for argv in self._at_end:
            subprocess.run(argv, stdin=subprocess.DEVNULL, check=False, timeout=60)  # noqa: S603 -- our own command
        if self._keep:
            (self.root / "lock").unlink()  # without it, it is nobody's to sweep
        else:
            shutil.rmtree(self.root, ignore_errors=True)
        self._lock.close()

    def _start(self, name: str, command: dict[str, Any]) -> int:
        if name in self._children and self._children[name].returncode is None:
            raise OSError(f"{name} is running")
        tie = [str(os.getpid()), str(command["death_signal"]), command["user"] or "-"]
        with Path(command["log"]).open("ab") as log:
            child = subprocess.Popen(  # noqa: S603 -- programs of ours
                [sys.executable, "-I", "-S", LAUNCH, *tie, *command["argv"]],
                env=command["env"],
                cwd=command["cwd"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._children[name] = child
        self._stop_signals[name] = command["stop_signal"]
        return child.pid

    def _signal(self, name: str, number: int) -> None:
        self.reap()
        child = self._children[name]
        if child.returncode is None:  # not reaped, so the id is still this child's
            os.kill(child.pid, number)

    def _kill_tree(self, name: str) -> None:
        """SIGKILL a program and everything under it; return when all are gone and reaped."""
        self.reap()
        child = self._children[name]
        if child.returncode is not None:
            return
        victims = [child.pid, *descendants(child.pid)]
        send(victims, signal.SIGKILL)
        self._wait_until(lambda: not any(alive(pid) for pid in victims), STOP_GRACE)

    def _running(self) -> list[str]:
        return [name for name, child in self._children.items() if child.returncode is None]

    def _wait_until(self, done: Any, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        self.reap()
        while not done() and time.monotonic() < deadline:
            time.sleep(0.01)
            self.reap()


def place() -> Path:
    """Where data is put: in memory if that is asked for and has room, else where temporary files go."""
    asked = os.environ.get(IN_MEMORY) == "1"
    return MEMORY if asked and room(MEMORY) >= ROOM else Path(tempfile.gettempdir())


def room(memory: Path) -> int:
    """Bytes that may be put into a file system in memory; 0 if there is none."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
        return min(shutil.disk_usage(memory).free, int(kilobytes) * 1024)
    except (OSError, StopIteration):
        return 0


def make_root() -> tuple[Path, Any]:
    """Create the private directory, locked for as long as this process lives; sweep dead ones."""
    for where in (Path(tempfile.gettempdir()), MEMORY):
        sweep(where)
    fresh = Path(tempfile.mkdtemp(prefix="new-" + PREFIX, dir=place()))
    fresh.chmod(0o711)  # servers run as another user and must reach their own directories in it
    lock = (fresh / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return fresh.rename(fresh.with_name(fresh.name.removeprefix("new-"))), lock


def sweep(where: Path) -> None:
    """Remove the directories of keepers that were killed themselves."""
    for left in where.glob(PREFIX + "*"):
        with contextlib.suppress(OSError):
            if left.stat().st_uid != os.geteuid():
                continue
            with (left / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)


def descendants(root: int) -> list[int]:
    """Ids of all live processes below `root`."""
    children: dict[int, list[int]] = {}
    for pid, parent in process_table():
        children.setdefault(parent, []).append(pid)
    found, queue = [], [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def process_table() -> list[tuple[int, int]]:
    """(process, parent) of every process that is no zombie."""
    if not Path("/proc/self/stat").exists():
        listed = subprocess.run(["/bin/ps", "-Ao", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        return [(int(pid), int(parent)) for pid, parent in (line.split() for line in listed.splitlines())]
    table = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    table.append((int(entry.name), int(parent)))
    return table


def alive(pid: int) -> bool:
    """True while the process exists, zombies included."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def send(pids: list[int], number: int) -> None:
    """Signal each of `pids` that still exists."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def serve(keeper: Keeper, parent: int) -> None:
    """Answer commands until standard input ends or the parent is gone."""
    wake, wake_writer = os.pipe()
    os.set_blocking(wake_writer, False)
    signal.set_wakeup_fd(wake_writer)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        watch = watch_parent(parent)
        if watch is not None:
            selector.register(watch, selectors.EVENT_READ)
        pending = b""
        while True:
            ready = {key.fd for key, _ in selector.select()}
            if wake in ready:
                os.read(wake, 4096)
            keeper.reap()
            if watch in ready:
                return
            if 0 in ready:
                received = os.read(0, 65536)
                if not received:
                    return
                *lines, pending = (pending + received).split(b"\n")
                for line in lines:
                    reply(keeper.answer(json.loads(line)))


def watch_parent(parent: int) -> int | None:
    """Return a descriptor that becomes readable when the parent ends, where the system has such a thing."""
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(parent)
    except OSError:
        return None


def reply(answer: dict[str, Any]) -> None:
    """Write one line to whoever started us."""
    os.write(1, json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Serve one process, whose id is the first argument."""
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)

    def asked_to_end(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit

    signal.signal(signal.SIGTERM, asked_to_end)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    keeper = Keeper()
    try:
        reply({"root": str(keeper.root)})
        serve(keeper, int(sys.argv[1]))
    except (SystemExit, BrokenPipeError):
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        keeper.stop()


if __name__ == "__main__":
    main()
