"""The SMTP verbs (RFC 5321, with PIPELINING, SIZE, 8BITMIME, SMTPUTF8, STARTTLS and AUTH) and the misbehaviour."""

from __future__ import annotations

import asyncio
import hmac
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from typing_extensions import override

from postroad_stack.smtp_server.behaviour import Rule, Stage
from postroad_stack.smtp_server.connection import Connection, Server
from postroad_stack.smtp_server.content import address, has_bare_newline, undotted
from postroad_stack.smtp_server.login import Login


@dataclass(slots=True)
class Transaction:
    """One mail in the making."""

    sender: str
    began_at: int
    recipients: list[str] = field(default_factory=list)


class SmtpConnection(Connection):
    """One client's dialogue."""

    def __init__(self, server: Server, *, encrypted: bool = False) -> None:
        super().__init__(server)
        self._encrypted = encrypted
        self._authenticated = server.credentials is None
        self._login: Login | None = None
        self._transaction: Transaction | None = None
        self._verbs: dict[bytes, Callable[[bytes], None]] = {
            b"MAIL": self._mail,
            b"RCPT": self._rcpt,
            b"DATA": self._data,
            b"EHLO": self._ehlo,
            b"HELO": self._helo,
            b"RSET": self._rset,
            b"QUIT": self._quit,
            b"AUTH": self._auth,
            b"STAR": self._starttls,
            b"NOOP": lambda _: self.reply(b"250 2.0.0 Ok"),
            b"VRFY": lambda _: self.reply(b"252 2.5.2 Send some mail"),
        }

    @override
    def begin(self) -> None:
        """Greet, or turn away."""
        self._decide(Stage.CONNECT, "", lambda: self.reply(f"220 {self.server.hostname} ESMTP".encode()))

    @override
    def command(self, line: bytes) -> None:
        """Act on one command line."""
        if self._login is not None:
            self._login.feed(line)
            self._continue_login(self._login)
            return
        verb = self._verbs.get(line[:4].upper())
        if verb is None:
            self.reply(b"500 5.5.2 Command not recognised")
        else:
            verb(line)

    @override
    def message(self, content: bytes | None) -> None:
        """Accept, or refuse, or misbehave."""
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            raise AssertionError("a message without a transaction")
        if content is None:
            self._refuse(Stage.DOT, transaction.recipients[0], b"552 5.3.4 Message too big")
        elif has_bare_newline(content):
            self._refuse(Stage.DOT, transaction.recipients[0], b"550 5.5.2 Bare <LF> received")
        elif self.server.director.plain:
            self.answer(self._accept(transaction, content))
        else:
            self._direct(transaction, content)

    def _ehlo(self, _line: bytes) -> None:
        self._transaction = None
        offers = [self.server.hostname, "PIPELINING", f"SIZE {self.server.max_size}", "8BITMIME", "SMTPUTF8"]
        if self.server.tls is not None and not self._encrypted:
            offers.append("STARTTLS")
        if self.server.credentials is not None and (self._encrypted or not self.server.require_tls):
            offers.append("AUTH PLAIN LOGIN")
        lines = [f"250-{offer}" for offer in offers] + ["250 ENHANCEDSTATUSCODES"]
        self.reply("\r\n".join(lines).encode())

    def _helo(self, _line: bytes) -> None:
        self._transaction = None
        self.reply(f"250 {self.server.hostname}".encode())

    def _mail(self, line: bytes) -> None:
        if self.server.require_tls and not self._encrypted:
            self.reply(b"530 5.7.0 Must issue a STARTTLS command first")
        elif not self._authenticated:
            self.reply(b"530 5.7.0 Authentication required")
        elif self._transaction is not None:
            self.reply(b"503 5.5.1 Nested MAIL command")
        elif (sender := address(line, b"MAIL FROM:")) is None:
            self.reply(b"501 5.5.4 Syntax: MAIL FROM:<address>")
        else:
            self._transaction = Transaction(sender, time.time_ns())
            self.reply(b"250 2.1.0 Ok")

    def _rcpt(self, line: bytes) -> None:
        if self._transaction is None:
            self.reply(b"503 5.5.1 MAIL first")
        elif not (recipient := address(line, b"RCPT TO:")):
            self.reply(b"501 5.5.4 Syntax: RCPT TO:<address>")
        elif self.server.director.plain:
            self._add_recipient(self._transaction, recipient)
        else:
            self._decide(Stage.RCPT, recipient, partial(self._add_recipient, self._transaction, recipient))

    def _add_recipient(self, transaction: Transaction, recipient: str) -> None:
        transaction.recipients.append(recipient)
        self.reply(b"250 2.1.5 Ok")

    def _data(self, _line: bytes) -> None:
        if self._transaction is None or not self._transaction.recipients:
            self.reply(b"554 5.5.1 No valid recipients")  # as RFC 2920 3.1 asks of a pipelined DATA
            return
        self._decide(Stage.DATA, self._transaction.recipients[0], self._ask_for_message)

    def _ask_for_message(self) -> None:
        self.expect_message()
        self.reply(b"354 End data with <CR><LF>.<CR><LF>")

    def _rset(self, _line: bytes) -> None:
        self._transaction = None
        self.reply(b"250 2.0.0 Ok")

    def _quit(self, _line: bytes) -> None:
        self.reply(b"221 2.0.0 Bye")
        self.close()

    # Messages and misbehaviour

    def _accept(self, transaction: Transaction, content: bytes) -> int:
        content = undotted(content)
        facts: dict[str, object] = {
            "connection": self.number,
            "began_at": transaction.began_at,
            "from": transaction.sender,
            "to": transaction.recipients,
            "size": len(content),
            "headers": self.server.logged_headers.read(content),
        }
        return self.journal.accept(facts, content)

    def _direct(self, transaction: Transaction, content: bytes) -> None:
        recipient = transaction.recipients[0]
        verdict = self.server.director.verdict(Stage.DOT, recipient)
        rule = verdict.rule
        if rule is not None and rule.action == "refuse":
            self.later(verdict.wait_seconds, partial(self._refuse, Stage.DOT, recipient, rule.reply.encode()))
        elif rule is not None and not rule.accepted:
            self.later(verdict.wait_seconds, partial(self._hang_up, Stage.DOT, recipient))
        else:
            # Accepted from here on, however late the answer: whoever dies now has handed the mail over.
            number = self._accept(transaction, content)
            self.journal.flush()
            if rule is None:
                self.later(verdict.wait_seconds, partial(self.answer, number))
            else:
                self.journal.note("answer", number=number, sent=False)
                self.later(verdict.wait_seconds, partial(self._hang_up, Stage.DOT, recipient))

    def _decide(self, stage: Stage, recipient: str, usual: Callable[[], None]) -> None:
        """Do the usual at once, or what the rules say."""
        if self.server.director.plain:
            usual()
            return
        verdict = self.server.director.verdict(stage, recipient)
        match verdict.rule:
            case None:
                self.later(verdict.wait_seconds, usual)
            case Rule(action="refuse", reply=reply):
                self.later(verdict.wait_seconds, partial(self._refuse, stage, recipient, reply.encode()))
            case _:
                self.later(verdict.wait_seconds, partial(self._hang_up, stage, recipient))

    def _refuse(self, stage: Stage, recipient: str, reply: bytes) -> None:
        kind = "deferred" if reply.startswith(b"4") else "refused"
        self.journal.note(kind, connection=self.number, stage=stage, to=recipient, reply=reply.decode())
        self.reply(reply)
        if reply.startswith(b"421"):
            self.close()

    def _hang_up(self, stage: Stage, recipient: str) -> None:
        self.journal.note("dropped", connection=self.number, stage=stage, to=recipient)
        self.abort()

    # TLS and authentication

    def _starttls(self, line: bytes) -> None:
        if line.upper() != b"STARTTLS" or self.server.tls is None or self._encrypted:
            self.reply(b"502 5.5.1 Not available")
            return
        self.reply(b"220 2.0.0 Ready to start TLS")
        self.flush()
        self.hold_back()
        # What was pipelined in the clear must not be taken for encrypted (CVE-2011-0411).
        self.discard_input()
        self._upgrade = asyncio.get_running_loop().create_task(self._encrypt(self.server.tls))

    async def _encrypt(self, context: ssl.SSLContext) -> None:
        try:
            transport = await asyncio.get_running_loop().start_tls(self.transport, self, context, server_side=True)
        except OSError as error:
            self.journal.note("tls_failed", connection=self.number, error=str(error))
            self.journal.flush()
            return
        if transport is None:
            raise AssertionError("the transport was closed while it was upgraded")
        self.transport = transport
        self._encrypted = True
        self.go_on()

    def _auth(self, line: bytes) -> None:
        words = line.split()
        mechanism = words[1].upper() if len(words) > 1 else b""
        if self.server.credentials is None or mechanism not in {b"PLAIN", b"LOGIN"}:
            self.reply(b"504 5.5.4 Mechanism not available")
            return
        self._login = Login(mechanism.decode())
        if len(words) > 2:
            self._login.feed(words[2])
        self._continue_login(self._login)

    def _continue_login(self, login: Login) -> None:
        if login.failed:
            self._login = None
            self.reply(b"501 5.5.2 Not base64")
        elif login.credentials is None:
            self.reply(login.challenge())
        else:
            self._login = None
            self._log_in(login.credentials)

    def _log_in(self, given: tuple[str, ...]) -> None:
        wanted = self.server.credentials or ()
        self._authenticated = hmac.compare_digest("\0".join(given).encode(), "\0".join(wanted).encode())
        self.journal.note("auth", connection=self.number, user=given[0] if given else "", ok=self._authenticated)
        self.reply(b"235 2.7.0 Ok" if self._authenticated else b"535 5.7.8 Authentication failed")
