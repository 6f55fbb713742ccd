"""One SMTP connection: a pipelining client that always knows whether the final dot was written."""

import asyncio
import re
from collections import deque
from dataclasses import dataclass

from typing_extensions import override

from postroad_sender.errors import ConnectionEndedError
from postroad_sender.smtp.replies import Answered, Lost, Phase, Reply, Result, Unfit, parse_reply

if __debug__:
    from postroad_common.faults import reach

MAX_REPLY_BYTES = 64 * 1024
"""A server that says more than this in one reply is not followed."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Whom the mail is from and to: addresses that `mime.checked_address` has passed."""

    sender: str
    recipient: str

    @property
    def needs_utf8(self) -> bool:
        """Whether an address is not ASCII (RFC 6531)."""
        return not (self.sender.isascii() and self.recipient.isascii())


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds: for a reply to a command, and for the one to the final dot (RFC 5321 §4.5.3.2)."""

    command: float
    message: float


class Connection(asyncio.Protocol):
    """An open connection. One message at a time; replies are matched to commands in order."""

    def __init__(self, timeouts: Timeouts) -> None:
        self.sent = 0
        self.extensions: dict[str, str] = {}
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._lines: list[bytes] = []
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._ended: str | None = None
        self._busy = True
        self._in_transaction = False

    # What the event loop calls.

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; called again with the encrypted one after STARTTLS."""
        self._transport = transport  # type: ignore[assignment]  # create_connection gives a Transport

    @override
    def data_received(self, data: bytes) -> None:
        """Cut the stream into replies."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        try:
            for line in lines:
                self._take_line(line.rstrip(b"\r"))
        except ValueError as error:
            self._end(str(error))
            return
        if len(self._buffer) + sum(map(len, self._lines)) > MAX_REPLY_BYTES:
            self._end("the server's reply is too long")
        elif not self._busy:
            self._end("the server spoke out of turn")
        elif self._replies:
            self._wake()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Remember that it is over; whoever waits is told."""
        self._end(str(exc) if exc else "the server closed the connection")

    # What a lane calls.

    @property
    def usable(self) -> bool:
        """Whether another message can be begun."""
        return self._ended is None

    async def send(self, envelope: Envelope, message: bytes) -> Result:
        """Hand one message over and say exactly how far it came. Never raises for what the server does."""
        if 0 < (size := self._largest_message()) < len(message):
            return Unfit(f"the message has {len(message)} bytes and the server takes {size}")
        if envelope.needs_utf8 and "SMTPUTF8" not in self.extensions:
            return Unfit("the address is not ASCII and the server does not offer SMTPUTF8 (RFC 6531)")
        self._busy = True
        progress = _Progress()
        try:
            result: Result = await self._transact(envelope, message, progress)
        except ConnectionEndedError as error:
            result = Lost(progress.phase, progress.dot_written, str(error))
        except asyncio.CancelledError:
            self._end("cancelled")
            raise
        except Exception as error:  # noqa: BLE001 - how far it came counts, whatever failed
            self._end(f"failed: {error!r}")
            result = Lost(progress.phase, progress.dot_written, repr(error))
        self.ready()
        self.sent += 1
        if isinstance(result, Answered) and result.reply.closes:
            self._end("the server closes the connection: 421")
        return result

    def _largest_message(self) -> int:
        """Bytes that the server announced to take at most (RFC 1870), at most 20 digits; 0: it named no limit."""
        size = self.extensions.get("SIZE", "")
        return int(size) if re.fullmatch("[0-9]{1,20}", size) else 0

    async def command(self, line: bytes) -> Reply:
        """Send one command line, without its CRLF, and wait for its reply. Raises ConnectionEndedError."""
        self._write(line + b"\r\n")
        return await self.reply()

    async def reply(self, within: float | None = None) -> Reply:
        """Give the next reply. Raises ConnectionEndedError when there will be none, or none in time."""
        if not self._replies:
            await self._wait(within or self._timeouts.command)
        return self._replies.popleft()

    def ready(self) -> None:
        """Say that nothing more is asked: from now on the server may only answer."""
        self._busy = False
        if not self.replies_are_read():
            self._end("the server spoke out of turn")

    def replies_are_read(self) -> bool:
        """Whether nothing unread is left: what came before TLS must not be taken for what comes after it."""
        return not (self._replies or self._lines or self._buffer)

    @property
    def transport(self) -> asyncio.Transport:
        """The transport beneath. Raises ConnectionEndedError when there is none any more."""
        if self._transport is None or self._ended is not None:
            raise ConnectionEndedError(self._ended or "not connected")
        return self._transport

    def close(self) -> None:
        """Say QUIT without waiting for the answer, and close."""
        if self._ended is None and self._transport is not None:
            self._transport.write(b"QUIT\r\n")
        self._end("closed by us", abort=False)

    # One message.

    async def _transact(self, envelope: Envelope, message: bytes, progress: "_Progress") -> Result:
        mail, rcpt = self._commands(envelope, message)
        if "PIPELINING" in self.extensions:
            refusal = await self._begin_pipelined(mail, rcpt, progress)
        else:
            refusal = await self._begin_stepwise(mail, rcpt, progress)
        if refusal is not None:
            return refusal
        return await self._hand_over(message, progress)

    async def _begin_pipelined(self, mail: bytes, rcpt: bytes, progress: "_Progress") -> Answered | None:
        """MAIL, RCPT and DATA in one packet (RFC 2920). None: the server waits for the message."""
        reset = self._take_reset()
        self._write(reset + mail + rcpt + b"DATA\r\n")
        if reset:
            await self.reply()
        answered = Answered(Phase.MAIL, await self.reply())
        if answered.reply.closes:
            return answered
        progress.phase = Phase.RCPT
        if __debug__:
            reach("sender.mail_sent")
        rcpt_reply = await self.reply()
        if answered.reply.accepted:
            answered = Answered(Phase.RCPT, rcpt_reply)
        progress.phase = Phase.DATA
        data_reply = answered.reply if rcpt_reply.closes else await self.reply()
        if answered.reply.accepted:
            if data_reply.code == 354:
                return None
            answered = Answered(Phase.DATA, data_reply)
        elif data_reply.code == 354:
            await self._send_nothing()
        self._in_transaction = True
        return answered

    async def _begin_stepwise(self, mail: bytes, rcpt: bytes, progress: "_Progress") -> Answered | None:
        if self._take_reset():
            await self.command(b"RSET")
        for phase, line in ((Phase.MAIL, mail), (Phase.RCPT, rcpt)):
            progress.phase = phase
            reply = await self.command(line.rstrip(b"\r\n"))
            if not reply.accepted:
                self._in_transaction = True
                return Answered(phase, reply)
        if __debug__:
            reach("sender.mail_sent")
        progress.phase = Phase.DATA
        reply = await self.command(b"DATA")
        self._in_transaction = reply.code != 354
        return None if reply.code == 354 else Answered(Phase.DATA, reply)

    async def _hand_over(self, message: bytes, progress: "_Progress") -> Answered:
        progress.phase = Phase.MESSAGE
        stuffed = dot_stuffed(message)
        self._check_open()
        progress.dot_written = True
        self._write(stuffed)
        if __debug__:
            await asyncio.sleep(0)  # uvloop writes at the end of its turn
            reach("sender.data_sent")
        return Answered(Phase.MESSAGE, await self.reply(self._timeouts.message))

    async def _send_nothing(self) -> None:
        """End a DATA that was accepted although its recipient was not: nobody is there to get it (RFC 2920 §3.1)."""
        self._write(b".\r\n")
        await self.reply()

    def _commands(self, envelope: Envelope, message: bytes) -> tuple[bytes, bytes]:
        size = f" SIZE={len(message)}" if "SIZE" in self.extensions else ""
        utf8 = " SMTPUTF8" if envelope.needs_utf8 else ""
        return (
            f"MAIL FROM:<{envelope.sender}>{size}{utf8}\r\n".encode(),
            f"RCPT TO:<{envelope.recipient}>\r\n".encode(),
        )

    def _take_reset(self) -> bytes:
        """Give the command that clears a transaction that was refused half-way."""
        reset, self._in_transaction = (b"RSET\r\n" if self._in_transaction else b""), False
        return reset

    # The stream.

    def _take_line(self, line: bytes) -> None:
        self._lines.append(line)
        if line[3:4] != b"-":
            lines, self._lines = self._lines, []
            self._replies.append(parse_reply(lines))

    def _write(self, data: bytes) -> None:
        self._check_open()
        self.transport.write(data)

    def _check_open(self) -> None:
        if self._ended is not None:
            raise ConnectionEndedError(self._ended)

    async def _wait(self, within: float) -> None:
        self._check_open()
        self._waiter = self._loop.create_future()
        self._deadline = self._loop.time() + within
        if self._watch is None or self._watch.when() > self._deadline:
            self._watch_until(self._deadline)
        try:
            await self._waiter
        finally:
            self._waiter = None
        if not self._replies:
            raise ConnectionEndedError(self._ended or "the connection ended")

    def _watch_until(self, when: float) -> None:
        """Look at the deadline then. One timer serves many waits: setting one for each costs more than the replies."""
        if self._watch is not None:
            self._watch.cancel()
        self._watch = self._loop.call_at(when, self._look_at_deadline)

    def _look_at_deadline(self) -> None:
        self._watch = None
        if self._waiter is None:
            return
        if self._loop.time() >= self._deadline:
            self._end("no reply in time")
        else:
            self._watch_until(self._deadline)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _end(self, why: str, *, abort: bool = True) -> None:
        if self._ended is None:
            self._ended = why
            if self._watch is not None:
                self._watch.cancel()
            if self._transport is not None:
                self._transport.abort() if abort else self._transport.close()
        self._wake()


@dataclass(slots=True)
class _Progress:
    """How far one message has come; what `Lost` reports."""

    phase: Phase = Phase.MAIL
    dot_written: bool = False


def dot_stuffed(message: bytes) -> bytes:
    """Give the message as it goes over the wire, final dot included.

    Bare CR and LF become CRLF *before* the dots are doubled: a server that took one for a line end would otherwise see
    a message end that we did not write (SMTP smuggling, CVE-2023-51764).
    """
    ends = message.count(b"\r\n")
    if ends != message.count(b"\r") or ends != message.count(b"\n"):
        message = message.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")
