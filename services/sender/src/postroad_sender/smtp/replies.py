"""What a mail server says, and how a hand-over can end, as values."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from postroad_common.personal import without_addresses

_ENHANCED = re.compile(r"^([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)")
_QUEUED_AS = re.compile(r"queued as ([A-Za-z0-9._+/=@-]{4,200})", re.IGNORECASE)


class Phase(StrEnum):
    """The command that was answered, or was open when the connection went."""

    CONNECT = "connect"
    GREETING = "greeting"
    HELLO = "hello"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: its code, its enhanced status if it has one (RFC 3463), and its text without either."""

    code: int
    status: str | None
    text: str

    @property
    def accepted(self) -> bool:
        """Whether the server did what was asked."""
        return 200 <= self.code < 300

    @property
    def closes(self) -> bool:
        """Whether the server ends the connection with this reply (RFC 5321 §3.8)."""
        return self.code == 421

    @property
    def told(self) -> str:
        """The text as it is kept: without the addresses that it quotes."""
        return without_addresses(self.text)

    @property
    def queue_id(self) -> str | None:
        """The server's own id of an accepted message, where it tells it: SendGrid's events carry it."""
        match = _QUEUED_AS.search(self.text)
        return match.group(1) if match else None


@dataclass(frozen=True, slots=True)
class Answered:
    """The server gave its word on the message. Only a positive reply in phase MESSAGE hands it over."""

    phase: Phase
    reply: Reply


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection ended or fell silent first. Once the final dot is written nobody knows (RFC 1047)."""

    phase: Phase
    dot_written: bool
    why: str


@dataclass(frozen=True, slots=True)
class Unfit:
    """We did not begin: this server cannot take this message at all."""

    why: str


Result = Answered | Lost | Unfit


def parse_reply(lines: list[bytes]) -> Reply:
    """Make a reply of its lines (`250-...`, `250 ...`). Raises ValueError if they are none."""
    return _parse(tuple(lines))


@lru_cache(maxsize=1024)
def _parse(lines: tuple[bytes, ...]) -> Reply:
    """Servers repeat themselves: most replies have been parsed before."""
    first = lines[0]
    code = first[:3]
    if not (len(code) == 3 and code.isdigit() and b"200" <= code <= b"599"):
        raise ValueError(f"not a reply: {first[:80]!r}")
    text = "\n".join(line[4:].decode("utf-8", "replace") for line in lines).replace("\0", "")
    match = _ENHANCED.match(text)
    if match is None:
        return Reply(int(code), None, text)
    status = match.group(0)
    return Reply(int(code), status, text.replace(status, "").replace("\n ", "\n").strip())
