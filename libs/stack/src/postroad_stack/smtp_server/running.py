"""The server as a process of its own, for tests, benchmarks and the demo."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from postroad_stack.eventually import eventually
from postroad_stack.listening import listening_port
from postroad_stack.process import Process
from postroad_stack.smtp_server.behaviour import Behaviour
from postroad_stack.smtp_server.journal import Accepted, JournalReader


@dataclass
class SmtpServer:
    """A running server: where it listens, what it has logged, and how it shall behave from now on."""

    port: int
    process: Process
    reader: JournalReader
    behaviour_file: Path
    host: str = "127.0.0.1"

    async def afresh(self) -> SmtpServer:
        """The same server, behaving well again, without what it has logged so far: for the next test."""
        await self.set_behaviour(Behaviour())
        return replace(self, reader=self.reader.from_now_on())

    def accepted(self) -> list[Accepted]:
        """Every mail accepted so far, in order, from the log."""
        return self.reader.accepted()

    def accepted_after(self, number: int) -> list[Accepted]:
        """The mails accepted since the one with that number."""
        return self.reader.accepted_after(number)

    def accepted_count(self) -> int:
        """How many mails were accepted so far."""
        return self.reader.accepted_count()

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """The other lines of the log, those of the given kinds: connected, refused, deferred, dropped, stalled, …"""
        return self.reader.events(*kinds)

    async def set_behaviour(self, behaviour: Behaviour | Mapping[str, Any]) -> None:
        """Behave so from now on; returns when the server has taken it up. Counts of rules start anew."""
        write_behaviour(self.behaviour_file, behaviour)
        taken_up = len(self.events("behaviour"))
        os.kill(self.process.pid, signal.SIGHUP)
        await eventually(lambda: len(self.events("behaviour")) > taken_up, reason="behaviour taken up")


def write_behaviour(file: Path, behaviour: Behaviour | Mapping[str, Any]) -> None:
    """Write a behaviour file; raises ValueError or TypeError when the mapping is none."""
    text = behaviour.to_json() if isinstance(behaviour, Behaviour) else json.dumps(behaviour)
    Behaviour.from_json(text)
    file.write_text(text)


@contextlib.asynccontextmanager
async def running_smtp_server(
    *,
    behaviour: Behaviour | Mapping[str, Any] | None = None,
    directory: Path | None = None,
    store: bool = False,
    arguments: Sequence[str] = (),
) -> AsyncIterator[SmtpServer]:
    """Start the server and stop it at the end. Its log is `directory`/smtp.ndjson, else in a temporary directory.

    `store` keeps whole messages for `Accepted.content()`; `arguments` are further ones of the command line.
    """
    with contextlib.ExitStack() as resources:
        home = directory or Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="postroad-smtp-")))
        log, behaviour_file = home / "smtp.ndjson", home / "smtp-behaviour.json"
        kept = home / "smtp-messages" if store else None
        write_behaviour(behaviour_file, behaviour or Behaviour())
        files = ["--log", str(log), "--behaviour", str(behaviour_file), *(["--store", str(kept)] if kept else [])]
        command = [sys.executable, "-m", "postroad_stack.smtp_server", *files, *arguments]
        async with Process(command, log=home / "smtp.out", name="smtp-server") as process:
            port = await listening_port(process, patience=30)
            yield SmtpServer(port, process, JournalReader(log, kept), behaviour_file)
