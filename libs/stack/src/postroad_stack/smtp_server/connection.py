"""Bytes in and out of one connection: pipelined input, held-back answers, and the log line before the answer."""

from __future__ import annotations

import asyncio
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from typing_extensions import override

from postroad_stack.smtp_server.behaviour import Director
from postroad_stack.smtp_server.content import HeaderReader
from postroad_stack.smtp_server.journal import Journal

MAX_COMMAND = 4096
_DOT = b"\r\n.\r\n"


@dataclass
class Server:
    """What all connections share; `director` is replaced when the behaviour changes."""

    journal: Journal
    director: Director
    logged_headers: HeaderReader
    hostname: str = "recorder.postroad.example"
    max_size: int = 30_000_000
    tls: ssl.SSLContext | None = None
    require_tls: bool = False
    credentials: tuple[str, ...] | None = None  # user, password; AUTH is asked for when set
    connections: int = 0


class Connection(asyncio.Protocol, ABC):
    """Cuts the input into command lines and messages and writes answers in one piece a round."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.journal = server.journal
        self.number = 0
        self.closed = False
        self.transport: asyncio.Transport
        self._buffer = bytearray()
        self._replies: list[bytes] = []
        self._answered: list[int] = []  # mails whose 250 is among the replies
        self._in_message = False
        self._oversized = False
        self._held_back = False

    @abstractmethod
    def begin(self) -> None:
        """The connection is open: greet."""

    @abstractmethod
    def command(self, line: bytes) -> None:
        """A command line without its CRLF."""

    @abstractmethod
    def message(self, content: bytes | None) -> None:
        """A whole message, still dot-stuffed; None when it was larger than allowed."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Number the connection and greet."""
        self.transport = transport  # type: ignore[assignment]  # a stream server hands out asyncio.Transport
        self.server.connections += 1
        self.number = self.server.connections
        self.journal.note("connected", connection=self.number)
        self.begin()
        self.flush()

    @override
    def data_received(self, data: bytes) -> None:
        """Take the bytes; act on them unless an answer is being held back."""
        self._buffer += data
        if not self._held_back:
            self.advance()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Log the end."""
        self.closed = True
        self.journal.note("disconnected", connection=self.number, error=str(exc) if exc else None)
        self.journal.flush()

    def advance(self) -> None:
        """Act on all that has arrived, then answer."""
        while not self._held_back and not self.closed:
            if not (self._take_message() if self._in_message else self._take_command()):
                break
        self.flush()

    def _take_command(self) -> bool:
        end = self._buffer.find(b"\r\n", 0, MAX_COMMAND)
        if end < 0:
            if len(self._buffer) >= MAX_COMMAND:
                self.reply(b"500 5.5.2 Line too long")
                self.close()
            return False
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        self.command(line)
        return True

    def _take_message(self) -> bool:
        end = self._buffer.find(_DOT)
        if end < 0:
            if len(self._buffer) > self.server.max_size:
                self._oversized = True
                del self._buffer[: -len(_DOT)]
            return False
        content = None if self._oversized else bytes(self._buffer[2 : end + 2])
        del self._buffer[: end + len(_DOT)]
        self._in_message = self._oversized = False
        self.message(content)
        return True

    def expect_message(self) -> None:
        """What comes next is a message."""
        # The CRLF of the DATA line is put back in front, so that an empty message ends at its dot too.
        self._buffer[:0] = b"\r\n"
        self._in_message = True

    def discard_input(self) -> None:
        """Forget what was sent ahead."""
        self._buffer.clear()

    def hold_back(self) -> None:
        """Act on nothing more until `go_on`."""
        self._held_back = True

    def go_on(self) -> None:
        """Act again, on what came meanwhile too."""
        self._held_back = False
        self.advance()

    def later(self, seconds: float | None, act: Callable[[], None]) -> None:
        """Act now (0), after the time, or never (None); the connection's input waits meanwhile."""
        if seconds == 0:
            act()
            return
        self.hold_back()
        if seconds is None:
            self.journal.note("stalled", connection=self.number)
            self.journal.flush()
            return
        asyncio.get_running_loop().call_later(seconds, self._act_and_go_on, act)

    def _act_and_go_on(self, act: Callable[[], None]) -> None:
        act()
        self.go_on()

    def reply(self, line: bytes) -> None:
        """Queue an answer."""
        self._replies.append(line)

    def answer(self, number: int) -> None:
        """Queue the 250 of an accepted mail; logs when there is nobody left to hear it."""
        if self.closed:
            self.journal.note("answer", number=number, sent=False)
            self.journal.flush()
            return
        self._answered.append(number)
        self.reply(b"250 2.0.0 Ok: queued as %d" % number)

    def flush(self) -> None:
        """The log first, then the answers that rest on it."""
        if not self._replies or self.closed:
            return
        self.journal.flush()
        self._replies.append(b"")
        self.transport.write(b"\r\n".join(self._replies))
        self._replies.clear()
        if self._answered:
            for number in self._answered:
                self.journal.note("answer", number=number, sent=True)
            self._answered.clear()
            self.journal.flush_soon()

    def close(self) -> None:
        """Answer what is queued, then hang up."""
        self.flush()
        self.closed = True
        self.transport.close()

    def abort(self) -> None:
        """Hang up without an answer."""
        self.journal.flush()
        self.closed = True
        self.transport.abort()
