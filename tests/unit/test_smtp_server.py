"""The recording SMTP server: its log is evidence, so it is held to the same rules as what it judges."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiosmtplib
import pytest
import pytest_asyncio
import trustme

from postroad_stack.eventually import eventually
from postroad_stack.smtp_server import (
    Behaviour,
    Rule,
    SmtpServer,
    Stage,
    busy,
    defer,
    delay,
    drop_after_dot,
    refuse,
    running_smtp_server,
    stall,
)

MESSAGE = (
    b"From: hello@postroad.example\r\nTo: ada@lists.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Message-ID: <1@postroad.example>\r\nList-Unsubscribe:\r\n <https://t.example/u/1>\r\n\r\n.dot first\r\nbye\r\n"
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[SmtpServer]:
    async with running_smtp_server(store=True) as running:
        yield running


@dataclass
class Wire:
    """A bare connection, to send what a library would not."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def reply(self) -> str:
        """The next whole reply, the last line of a multi-line one."""
        while (line := await asyncio.wait_for(self.reader.readline(), 10))[3:4] == b"-":
            pass
        return line.decode().rstrip()

    async def say(self, data: bytes) -> str:
        self.writer.write(data)
        return await self.reply()


@contextlib.asynccontextmanager
async def wire(server: SmtpServer) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    connection = Wire(reader, writer)
    assert (await connection.reply()).startswith("220 ")
    assert await connection.say(b"EHLO client\r\n") == "250 ENHANCEDSTATUSCODES"
    try:
        yield connection
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def send(server: SmtpServer, recipient: str, message: bytes = MESSAGE) -> None:
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=server.port, use_tls=False, start_tls=False, timeout=10)
    async with client:
        await client.sendmail("hello@postroad.example", recipient, message)


async def test_a_mail_is_in_the_log_with_envelope_headers_and_content_by_the_time_it_is_answered(
    server: SmtpServer,
) -> None:
    before = time.time_ns()
    await send(server, "ada@lists.example")
    mail = server.accepted()[-1]
    assert (mail.sender, mail.recipient) == ("hello@postroad.example", "ada@lists.example")
    assert (mail.message_id, mail.subject) == ("<1@postroad.example>", "Grüße")
    assert mail.headers["List-Unsubscribe"] == "<https://t.example/u/1>"
    assert before < mail.began_ns <= mail.accepted_ns < time.time_ns()
    assert mail.content() == MESSAGE, "dot-stuffing is undone, nothing else is changed"
    await eventually(lambda: server.accepted()[-1].answer_sent)


async def test_mails_pipelined_behind_a_final_dot_are_each_accepted_once(server: SmtpServer) -> None:
    before = server.accepted_count()
    envelope = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<p%d@lists.example>\r\nDATA\r\n"
    async with wire(server) as connection:
        assert (await connection.say(envelope % 1)).startswith("250 2.1.0")
        assert (await connection.reply()).startswith("250 2.1.5")
        assert (await connection.reply()).startswith("354")
        answer = await connection.say(MESSAGE + b".\r\n" + envelope % 2)
        assert answer.startswith("250 2.0.0 Ok: queued")
        assert [(await connection.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
        assert (await connection.say(b".\r\n")).startswith("250"), "an empty message ends at its dot too"
    assert [mail.recipient for mail in server.accepted()[before:]] == ["p1@lists.example", "p2@lists.example"]


async def test_a_message_split_at_every_byte_is_the_same_message(server: SmtpServer) -> None:
    before = server.accepted_count()
    async with wire(server) as connection:
        for byte in b"MAIL FROM:<a@b.example>\r\nRCPT TO:<split@lists.example>\r\nDATA\r\nA: b\r\n\r\nhi\r\n.\r\n":
            connection.writer.write(bytes([byte]))
            await connection.writer.drain()
        replies = [await connection.reply() for _ in range(4)]
    assert replies[-1].startswith("250 2.0.0 Ok")
    assert [mail.content() for mail in server.accepted()[before:]] == [b"A: b\r\n\r\nhi\r\n"]


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (b"RCPT TO:<a@b.example>\r\n", "503"),
        (b"DATA\r\n", "554"),
        (b"MAIL FROM:a@b.example\r\n", "501"),
        (b"MAIL FROM:<a b>\r\n", "501"),
        (b"BURN\r\n", "500"),
        (b"STARTTLS\r\n", "502"),
        (b"AUTH PLAIN AGEAYg==\r\n", "504"),
        (b"X" * 5000 + b"\r\n", "500"),
    ],
)
async def test_commands_that_make_no_sense_are_refused(server: SmtpServer, command: bytes, reply: str) -> None:
    async with wire(server) as connection:
        assert (await connection.say(command)).startswith(reply)


async def test_a_bare_newline_in_a_message_is_refused_and_not_logged_as_accepted(server: SmtpServer) -> None:
    before = server.accepted_count()
    async with wire(server) as connection:
        await connection.say(b"MAIL FROM:<a@b.example>\r\n")
        await connection.say(b"RCPT TO:<a@b.example>\r\n")
        await connection.say(b"DATA\r\n")
        answer = await connection.say(b"A: b\r\n\r\nhi\n.\nMAIL FROM:<x@y.example>\r\n.\r\n")
    assert answer.startswith("550 5.5.2 Bare")
    assert server.accepted_count() == before


async def test_a_refused_and_a_deferred_recipient_get_the_reply_and_a_line_each(server: SmtpServer) -> None:
    rules = (refuse("*@gone.example"), defer("*@grey.example", times=1, per_recipient=True))
    await server.set_behaviour(Behaviour(rules=rules))
    try:
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused, match="No such user"):
            await send(server, "ada@gone.example")
        for recipient in ("a@grey.example", "b@grey.example"):
            with pytest.raises(aiosmtplib.SMTPRecipientsRefused, match="Try again"):
                await send(server, recipient)
            await send(server, recipient)
    finally:
        await server.set_behaviour({})
    assert [event["to"] for event in server.events("refused")][-1] == "ada@gone.example"
    assert [event["to"] for event in server.events("deferred")] == ["a@grey.example", "b@grey.example"]


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_connection_dropped_after_the_dot_is_logged_as_accepted_without_answer_or_not_at_all(
    server: SmtpServer, *, accepted: bool
) -> None:
    before = server.accepted_count()
    await server.set_behaviour(Behaviour(rules=(drop_after_dot("*@lost.example", accepted=accepted),)))
    try:
        with pytest.raises(aiosmtplib.SMTPServerDisconnected):
            await send(server, "ada@lost.example")
    finally:
        await server.set_behaviour({})
    assert [mail.answer_sent for mail in server.accepted()[before:]] == ([False] if accepted else [])
    assert server.events("dropped")[-1]["stage"] == "dot"


async def test_a_mail_counts_as_accepted_while_its_late_answer_is_still_to_come(server: SmtpServer) -> None:
    before = server.accepted_count()
    await server.set_behaviour(Behaviour(rules=(delay(30_000, "*@slow.example"),)))
    try:
        async with wire(server) as connection:
            connection.writer.write(
                b"MAIL FROM:<a@b.example>\r\nRCPT TO:<a@slow.example>\r\nDATA\r\nA: b\r\n\r\nhi\r\n.\r\n"
            )
            await eventually(lambda: server.accepted_count() == before + 1)
            assert server.accepted()[-1].answer_sent is None
    finally:
        await server.set_behaviour({})


async def test_a_stalled_data_is_never_answered(server: SmtpServer) -> None:
    await server.set_behaviour(Behaviour(rules=(stall("*@stuck.example"),)))
    try:
        async with wire(server) as connection:
            connection.writer.write(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<a@stuck.example>\r\nDATA\r\n")
            await eventually(lambda: server.events("stalled"))
            assert [(await connection.reply())[:3] for _ in range(2)] == ["250", "250"]
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(connection.reader.readline(), 0.1)
    finally:
        await server.set_behaviour({})


async def test_a_busy_server_turns_connections_away_as_often_as_told(server: SmtpServer) -> None:
    await server.set_behaviour(Behaviour(rules=(busy(times=1),)))
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        assert (await reader.readline()).startswith(b"421")
        assert await reader.read() == b""
        writer.close()
        await send(server, "ada@lists.example")
    finally:
        await server.set_behaviour({})


async def test_an_answer_to_a_client_that_has_gone_is_logged_as_not_sent(server: SmtpServer) -> None:
    await server.set_behaviour({"answer_delay_ms": 200})
    try:
        async with wire(server) as connection:
            connection.writer.write(
                b"MAIL FROM:<a@b.example>\r\nRCPT TO:<gone@lists.example>\r\nDATA\r\nA: b\r\n\r\nhi\r\n.\r\n"
            )
            await eventually(lambda: server.accepted()[-1].recipient == "gone@lists.example")
        await eventually(lambda: server.accepted()[-1].answer_sent is False)
    finally:
        await server.set_behaviour({})


def test_a_behaviour_survives_its_file() -> None:
    behaviour = Behaviour(
        rules=(refuse("a@*"), delay((1, 5), at=Stage.RCPT, every=2, skip=1), drop_after_dot(accepted=False, times=3)),
        answer_delay_ms=(2, 20),
        seed=7,
    )
    assert Behaviour.from_json(behaviour.to_json()) == behaviour
    assert Behaviour.from_json('{"rules": [{"at": "dot", "action": "drop"}]}').rules == (
        Rule(at=Stage.DOT, action="drop"),
    )
    with pytest.raises(TypeError, match="recipent"):
        Behaviour.from_json('{"rules": [{"at": "dot", "action": "drop", "recipent": "*"}]}')


@pytest.mark.parametrize("implicit", [True, False])
async def test_with_tls_and_credentials_nothing_is_taken_in_the_clear_or_from_strangers(
    tmp_path: Path, *, implicit: bool
) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    arguments = ["--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"), "--require-tls"]
    arguments += ["--credentials", "ada:secret", *(["--implicit-tls"] if implicit else [])]
    async with running_smtp_server(arguments=arguments) as server:
        if not implicit:
            with pytest.raises(aiosmtplib.SMTPResponseException, match="STARTTLS"):
                await send(server, "ada@lists.example")
        client = aiosmtplib.SMTP(
            hostname="localhost", port=server.port, use_tls=implicit, start_tls=not implicit, tls_context=trusting
        )
        async with client:
            with pytest.raises(aiosmtplib.SMTPResponseException, match="Authentication required"):
                await client.sendmail("a@b.example", "ada@lists.example", MESSAGE)
            with pytest.raises(aiosmtplib.SMTPAuthenticationError):
                await client.auth_plain("ada", "wrong")
            await client.auth_login("ada", "secret")
            await client.rset()
            await client.sendmail("a@b.example", "ada@lists.example", MESSAGE)
        assert [mail.recipient for mail in server.accepted()] == ["ada@lists.example"]
