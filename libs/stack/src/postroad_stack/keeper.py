"""Our side of the keeper process: start, signal and watch servers that end with us."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postroad_stack.errors import StartError

PROGRAM = str(Path(__file__).with_name("keeper_main.py"))


@dataclass(frozen=True, kw_only=True)
class Program:
    """What the keeper runs: `user` is whom root becomes, None for ourselves."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    user: str | None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    """Sent by the kernel should the keeper itself be killed (Linux)."""


class Keeper:
    """One keeper process and its private directory. Not tied to an event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(  # noqa: S603 -- our own script
            [sys.executable, "-I", "-S", PROGRAM, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.root = Path(self._answer()["root"])

    @property
    def pid(self) -> int:
        """Process id of the keeper."""
        return self._process.pid

    async def start(self, name: str, program: Program) -> int:
        """Start a program under `name`; return its process id."""
        answer = await self._ask(
            do="start",
            name=name,
            argv=list(program.argv),
            env=dict(program.env),
            cwd=str(program.cwd),
            log=str(program.log),
            user=program.user,
            stop_signal=int(program.stop_signal),
            death_signal=int(program.death_signal),
        )
        return int(answer["pid"])

    async def code(self, name: str) -> int | None:
        """Exit code of a program, negative for a signal; None while it runs."""
        code: int | None = (await self._ask(do="status", name=name))["code"]
        return code

    async def signal(self, name: str, number: signal.Signals) -> None:
        """Signal one program; nothing happens if it has ended."""
        await self._ask(do="signal", name=name, signal=int(number))

    async def kill(self, name: str) -> None:
        """SIGKILL a program with all its children and wait until no trace of them is left."""
        await self._ask(do="kill", name=name)

    async def at_end(self, argv: Sequence[str]) -> None:
        """Have a command run when everything is being stopped, also if we are dead by then."""
        await self._ask(do="at_end", argv=list(argv))

    async def keep_files(self) -> None:
        """Leave data and logs behind for inspection."""
        await self._ask(do="keep")

    async def aclose(self) -> None:
        """Stop everything and wait until it is gone."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Stop everything and wait until it is gone, from plain code."""
        stdin, stdout = self._pipes()
        stdin.close()
        self._process.wait(timeout=60)
        stdout.close()

    async def _ask(self, **command: Any) -> dict[str, Any]:
        return await asyncio.to_thread(self._ask_now, command)

    def _ask_now(self, command: dict[str, Any]) -> dict[str, Any]:
        stdin, _ = self._pipes()
        with self._lock:
            try:
                stdin.write(json.dumps(command).encode() + b"\n")
                stdin.flush()
            except (BrokenPipeError, ValueError):
                raise StartError("the keeper process is gone, and its servers with it") from None
            answer = self._answer()
        if "error" in answer:
            raise StartError(f"keeper: {answer['error']}")
        return answer

    def _answer(self) -> dict[str, Any]:
        line = self._pipes()[1].readline()
        if not line:
            raise StartError("the keeper process is gone, and its servers with it")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _pipes(self) -> tuple[Any, Any]:
        return self._process.stdin, self._process.stdout
