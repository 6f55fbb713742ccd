"""Our services as child processes: started with a log file, signalled, and never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from postroad_stack.directories import tail
from postroad_stack.errors import StartError

LAUNCH = str(Path(__file__).with_name("launch.py"))
POLL = 0.01
"""Seconds between two looks at a process that is expected to end."""


class Process:
    """One running program in a process group of its own.

    On Linux the kernel kills it when the thread that started it ends, so start it from the main thread.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        name: str | None = None,
    ) -> None:
        """Start `argv` with its output appended to `log`; `env` replaces the environment if given."""
        self.argv = list(argv)
        self.name = name or Path(self.argv[0]).name
        self.log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(  # noqa: S603 -- the caller's own program
                [sys.executable, "-I", "-S", LAUNCH, str(os.getpid()), str(int(signal.SIGKILL)), "-", *self.argv],
                env=None if env is None else dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """Process id, which is also its group's."""
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self._child.poll()

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines that it wrote."""
        return tail(self.log, lines)

    def check_running(self) -> None:
        """Raise StartError with the tail of the log if it has ended."""
        if self.returncode is not None:
            raise StartError(f"{self.name} ended with {self.returncode}:\n{self.log_tail()}")

    async def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; return its code. TimeoutError after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.returncode) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} (pid {self.pid}) still runs after {timeout:g} s")
            await asyncio.sleep(POLL)
        return code

    async def terminate(self, timeout: float = 10.0) -> int:
        """SIGTERM and wait; what has not ended after `timeout` seconds is killed. Return the exit code."""
        self._send(signal.SIGTERM)
        try:
            return await self.wait(timeout)
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """SIGKILL the whole group and wait until it is reaped; return the exit code."""
        if self.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)
        return await self.wait()

    def stop(self) -> None:
        """SIGSTOP: it holds its connections and does nothing."""
        self._send(signal.SIGSTOP)

    def cont(self) -> None:
        """SIGCONT after `stop`."""
        self._send(signal.SIGCONT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cont()
        await self.terminate()

    def _send(self, number: signal.Signals) -> None:
        self._child.send_signal(number)  # does nothing once it has been reaped
