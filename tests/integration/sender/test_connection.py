"""The SMTP client against scripted servers: it always knows how far a message came."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from postroad_sender.smtp.connection import Connection, Envelope, Timeouts
from postroad_sender.smtp.dial import DialFailure, Dialing, Server, dial
from postroad_sender.smtp.replies import Answered, Lost, Phase, Unfit
from postroad_stack import eventually
from postroad_stack.smtp_server import running_smtp_server

ENVELOPE = Envelope("hello@post.example", "zoe@recipient.example")
MESSAGE = b"Subject: x\r\n\r\n.dot\r\n"
PIPELINING = "250-me\r\n250-PIPELINING\r\n250 SIZE 1000"
PLAIN = "250 me"

Script = Sequence[tuple[str, str | None]]
"""What a client line begins with, and the reply; None closes. `.` is the end of a message."""


class Scripted:
    """A server that follows a script line by line and keeps what it was told."""

    def __init__(self, script: Script, greeting: str = "220 me") -> None:
        self.script = list(script)
        self.greeting = greeting
        self.heard: list[str] = []
        self.data: list[bytes] = []
        self.port = 0
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.greeting.encode() + b"\r\n")
        in_data = False
        while self.script:
            line = await reader.readline()
            if not line:
                return
            if in_data and line != b".\r\n":
                self.data.append(line)
                continue
            in_data = False
            self.heard.append(line.decode().strip())
            expected, reply = self.script.pop(0)
            assert self.heard[-1].startswith(expected), (self.heard, expected)
            if reply is None:
                return
            in_data = reply.startswith("354")
            writer.write(reply.encode() + b"\r\n")
            await writer.drain()
        await reader.read()


@asynccontextmanager
async def scripted(script: Script, greeting: str = "220 me") -> AsyncIterator[Scripted]:
    server = Scripted(script, greeting)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server
        for task in server.tasks:
            task.cancel()
        await asyncio.gather(*server.tasks)


def dialing(ca: trustme.CA | None = None, *, seconds: float = 0.5, allow_private: bool = True) -> Dialing:
    tls = ssl.create_default_context()
    if ca is not None:
        ca.configure_trust(tls)
    return Dialing("me.example", 3.0, Timeouts(seconds, seconds), tls, allow_private)


async def connected(port: int, **options: float) -> Connection:
    made = await dial(Server("127.0.0.1", port, "none"), dialing(**options))  # type: ignore[arg-type]  # seconds only
    assert isinstance(made, Connection), made
    return made


async def test_pipelined_message_is_accepted_and_dot_stuffed() -> None:
    script = [
        ("EHLO me.example", PIPELINING), ("MAIL FROM:<hello@post.example> SIZE=20", "250 ok"),
        ("RCPT TO:<zoe@recipient.example>", "250 ok"), ("DATA", "354 go"), (".", "250 2.0.0 queued as X123"),
    ]  # fmt: skip
    async with scripted(script) as server:
        connection = await connected(server.port)
        result = await connection.send(ENVELOPE, MESSAGE)
        assert isinstance(result, Answered)
        assert (result.phase, result.reply.queue_id) == (Phase.MESSAGE, "X123")
        assert b"..dot\r\n" in server.data
        assert connection.usable
        connection.close()


async def test_server_without_pipelining_is_spoken_to_step_by_step() -> None:
    script = [
        ("EHLO", PLAIN), ("MAIL FROM:<hello@post.example>", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go"),
        (".", "250 ok"), ("MAIL", "250 ok"), ("RCPT", "550 5.1.1 no"), ("RSET", "250 ok"), ("MAIL", "451 later"),
    ]  # fmt: skip
    async with scripted(script) as server:
        connection = await connected(server.port)
        results = [await connection.send(ENVELOPE, MESSAGE) for _ in range(3)]
        assert [(r.phase, r.reply.code) for r in results if isinstance(r, Answered)] == [
            (Phase.MESSAGE, 250), (Phase.RCPT, 550), (Phase.MAIL, 451),
        ]  # fmt: skip


async def test_server_that_knows_only_helo_is_spoken_to() -> None:
    async with scripted([("EHLO", "502 what"), ("HELO me.example", "250 me")]) as server:
        assert (await connected(server.port)).extensions == {}


async def test_refused_recipient_in_a_pipeline_ends_with_an_empty_message_and_a_reset() -> None:
    script = [
        ("EHLO", PIPELINING), ("MAIL", "250 ok"), ("RCPT", "550 5.1.1 no"), ("DATA", "354 go"), (".", "554 nobody"),
        ("RSET", "250 ok"), ("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go"), (".", "250 ok"),
    ]  # fmt: skip
    async with scripted(script) as server:
        connection = await connected(server.port)
        first, second = await connection.send(ENVELOPE, MESSAGE), await connection.send(ENVELOPE, MESSAGE)
        assert isinstance(first, Answered)
        assert (first.phase, first.reply.status) == (Phase.RCPT, "5.1.1")
        assert isinstance(second, Answered)
        assert (second.phase, second.reply.code) == (Phase.MESSAGE, 250)
        assert server.data == [b"Subject: x\r\n", b"\r\n", b"..dot\r\n"], "the refused message was not sent"


async def test_421_ends_the_connection_and_is_the_answer() -> None:
    async with scripted([("EHLO", PIPELINING), ("MAIL", "421 4.3.2 bye"), ("RCPT", None)]) as server:
        connection = await connected(server.port)
        result = await connection.send(ENVELOPE, MESSAGE)
        assert isinstance(result, Answered)
        assert (result.phase, result.reply.code, connection.usable) == (Phase.MAIL, 421, False)


@pytest.mark.parametrize(
    ("closes_at", "phase", "dot_written"),
    [("MAIL", Phase.MAIL, False), ("RCPT", Phase.RCPT, False), ("DATA", Phase.DATA, False), (".", Phase.MESSAGE, True)],
)
async def test_connection_lost_at_each_point_says_whether_the_dot_was_written(
    closes_at: str, phase: Phase, dot_written: bool
) -> None:
    way = [("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go"), (".", "250 ok")]
    script: list[tuple[str, str | None]] = [("EHLO", PLAIN)]
    script += [(line, None if line == closes_at else reply) for line, reply in way]
    async with scripted(script) as server:
        result = await (await connected(server.port)).send(ENVELOPE, MESSAGE)
    assert isinstance(result, Lost)
    assert (result.phase, result.dot_written) == (phase, dot_written)


@pytest.mark.parametrize("size", ["0", "", "²", "9" * 5000, "-1", "1e3"])
async def test_limit_that_is_no_number_of_bytes_limits_nothing(size: str) -> None:
    script = [("EHLO", f"250-me\r\n250 SIZE {size}"), *[(line, "250 ok") for line in ("MAIL", "RCPT")]]
    async with scripted([*script, ("DATA", "354 go"), (".", "250 ok")]) as server:
        result = await (await connected(server.port)).send(ENVELOPE, MESSAGE)
    assert isinstance(result, Answered)


@pytest.mark.parametrize(("silent_at", "dot_written"), [(2, False), (4, True)])
async def test_silence_is_a_loss_and_closes_the_connection(silent_at: int, dot_written: bool) -> None:
    script = [("EHLO", PLAIN), ("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go"), (".", "250 ok")]
    async with scripted(script[:silent_at]) as server:
        connection = await connected(server.port, seconds=0.1)
        result = await connection.send(ENVELOPE, MESSAGE)
    assert isinstance(result, Lost)
    assert (result.dot_written, connection.usable) == (dot_written, False)
    assert result.why == "no reply in time"


async def test_connection_that_its_server_closed_meanwhile_is_not_usable() -> None:
    async with scripted([("EHLO", PIPELINING)]) as server:
        connection = await connected(server.port)
    await eventually(lambda: not connection.usable)
    assert await connection.send(ENVELOPE, MESSAGE) == Lost(
        Phase.MAIL, dot_written=False, why="the server closed the connection"
    )


async def test_server_that_speaks_out_of_turn_is_not_used_again() -> None:
    async with scripted([("EHLO", PIPELINING + "\r\n421 4.4.2 idle too long")]) as server:
        connection = await connected(server.port)
        await eventually(lambda: not connection.usable)


@pytest.mark.parametrize("noise", ["garbage\r\n", "250-" + "x" * 70_000, "99 no\r\n"])
async def test_nonsense_from_the_server_is_a_loss_not_a_crash(noise: str) -> None:
    async with scripted([("EHLO", PLAIN), ("MAIL", noise)]) as server:
        result = await (await connected(server.port)).send(ENVELOPE, MESSAGE)
        assert isinstance(result, Lost)
        assert not result.dot_written


async def test_message_beyond_the_servers_size_is_not_begun() -> None:
    async with scripted([("EHLO", PIPELINING)]) as server:
        result = await (await connected(server.port)).send(ENVELOPE, b"x" * 1001)
        assert isinstance(result, Unfit)


async def test_address_beyond_ascii_needs_smtputf8() -> None:
    async with scripted([("EHLO", PIPELINING)]) as server:
        result = await (await connected(server.port)).send(Envelope("a@b.example", "zoë@c.example"), MESSAGE)
        assert isinstance(result, Unfit)
        assert "SMTPUTF8" in result.why


# Dialing.


async def test_private_address_is_refused_unless_allowed() -> None:
    async with scripted([("EHLO", PLAIN)]) as server:
        failure = await dial(Server("localhost", server.port, "none"), dialing(allow_private=False))
        assert failure == DialFailure(Phase.CONNECT, None, "localhost has no public address")


async def test_password_without_tls_is_not_sent() -> None:
    failure = await dial(Server("8.8.8.8", 25, "none", "me", "secret"), dialing(allow_private=False))
    assert isinstance(failure, DialFailure)
    assert failure.phase is Phase.AUTH
    assert "clear text" in failure.why


async def test_greeting_that_refuses_is_the_failure() -> None:
    async with scripted([("QUIT", "221")], greeting="554 5.7.1 your address is blocked") as server:
        failure = await dial(Server("127.0.0.1", server.port, "none"), dialing())
    assert isinstance(failure, DialFailure)
    assert (failure.phase, failure.reply and failure.reply.code) == (Phase.GREETING, 554)


async def test_nobody_there_is_the_failure() -> None:
    async with scripted([]) as server:
        port = server.port
    failure = await dial(Server("127.0.0.1", port, "none"), dialing())
    assert isinstance(failure, DialFailure)
    assert failure.phase is Phase.CONNECT


async def test_text_before_tls_is_not_taken_for_text_beneath_it() -> None:
    script = [("EHLO", "250-me\r\n250 STARTTLS"), ("STARTTLS", "220 go\r\n250 injected")]
    async with scripted(script) as server:
        failure = await dial(Server("127.0.0.1", server.port, "starttls"), dialing())
    assert isinstance(failure, DialFailure)
    assert "between its STARTTLS reply" in failure.why


async def test_server_that_does_not_offer_starttls_is_not_used_in_clear() -> None:
    async with scripted([("EHLO", PLAIN), ("QUIT", "221 bye")]) as server:
        failure = await dial(Server("127.0.0.1", server.port, "starttls"), dialing())
    assert failure == DialFailure(Phase.TLS, None, "the server does not offer STARTTLS")


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    ca = trustme.CA()
    certificate = ca.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    return ca


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_tls_and_password_work_with_a_real_server(authority: trustme.CA, tmp_path: Path, security: str) -> None:
    arguments = [
        "--tls-cert",
        str(tmp_path / "cert.pem"),
        "--tls-key",
        str(tmp_path / "key.pem"),
        "--credentials",
        "me:se cret",
        "--require-tls",
    ]
    arguments += ["--implicit-tls"] if security == "tls" else []
    async with running_smtp_server(arguments=arguments) as smtp:
        server = Server("localhost", smtp.port, security, "me", "se cret")  # type: ignore[arg-type]  # one of the literals
        connection = await dial(server, dialing(authority, seconds=5))
        assert isinstance(connection, Connection), connection
        result = await connection.send(ENVELOPE, MESSAGE)
        assert isinstance(result, Answered)
        assert result.reply.accepted
        assert len(smtp.accepted()) == 1
        connection.close()

        wrong = await dial(Server("localhost", smtp.port, security, "me", "wrong"), dialing(authority, seconds=5))  # type: ignore[arg-type]
        assert isinstance(wrong, DialFailure)
        assert (wrong.phase, wrong.reply and wrong.reply.code) == (Phase.AUTH, 535)

        stranger = await dial(server, dialing(seconds=5))
        assert isinstance(stranger, DialFailure)
        assert stranger.phase is Phase.TLS
        assert "certificate verify failed" in stranger.why
