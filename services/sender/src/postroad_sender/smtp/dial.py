"""Making a connection: resolve, refuse private addresses, connect, encrypt, authenticate."""

import asyncio
import base64
import socket
import ssl
from dataclasses import dataclass, field
from typing import Literal

from postroad_common.addresses import is_public
from postroad_sender.errors import ConnectionEndedError
from postroad_sender.smtp.connection import Connection, Timeouts
from postroad_sender.smtp.replies import Phase, Reply


@dataclass(frozen=True, slots=True)
class Server:
    """Where a sender's mail is handed over, and as whom."""

    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Dialing:
    """How this process dials. Private addresses are refused unless allowed: a tenant names the host (SSRF)."""

    ehlo_name: str
    connect_timeout: float
    timeouts: Timeouts
    tls: ssl.SSLContext
    allow_private: bool


@dataclass(frozen=True, slots=True)
class DialFailure:
    """Why there is no connection: the phase, the server's reply if it gave one, and a sentence."""

    phase: Phase
    reply: Reply | None
    why: str


async def dial(server: Server, dialing: Dialing) -> Connection | DialFailure:
    """Open a connection that is ready for a message, or say why not. Bounded by `connect_timeout`."""
    try:
        async with asyncio.timeout(dialing.connect_timeout):
            return await _dial(server, dialing)
    except TimeoutError:
        return DialFailure(Phase.CONNECT, None, f"no connection within {dialing.connect_timeout:g} s")


async def _dial(server: Server, dialing: Dialing) -> Connection | DialFailure:
    if server.username and server.security == "none" and not dialing.allow_private:
        return DialFailure(Phase.AUTH, None, "the password would travel in clear text: use starttls or tls")
    addresses = await _addresses(server, dialing)
    if isinstance(addresses, DialFailure):
        return addresses
    failure = DialFailure(Phase.CONNECT, None, "no address")
    for address in addresses:
        try:
            # A silent address, as where IPv6 leads nowhere, must not use up the time of the others.
            async with asyncio.timeout(dialing.connect_timeout / len(addresses)):
                connection = await _open(address, server, dialing)
        except TimeoutError:
            failure = DialFailure(Phase.CONNECT, None, f"{address} does not answer")
            continue
        except (OSError, ssl.SSLError) as error:
            phase = Phase.TLS if isinstance(error, ssl.SSLError) else Phase.CONNECT
            failure = DialFailure(phase, None, str(error) or type(error).__name__)
            continue
        return await _introduce(connection, server, dialing)
    return failure


async def _addresses(server: Server, dialing: Dialing) -> list[str] | DialFailure:
    """Resolve once and connect to exactly what was checked: a second resolution could answer differently."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return DialFailure(Phase.CONNECT, None, f"{server.host} cannot be resolved: {error}")
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if dialing.allow_private:
        return addresses
    public = [address for address in addresses if is_public(address)]
    return public or DialFailure(Phase.CONNECT, None, f"{server.host} has no public address")


async def _open(address: str, server: Server, dialing: Dialing) -> Connection:
    encrypted = server.security == "tls"
    _, connection = await asyncio.get_running_loop().create_connection(
        lambda: Connection(dialing.timeouts),
        address,
        server.port,
        ssl=dialing.tls if encrypted else None,
        server_hostname=server.host if encrypted else None,
    )
    return connection


async def _introduce(connection: Connection, server: Server, dialing: Dialing) -> Connection | DialFailure:
    """Greeting, EHLO, STARTTLS, AUTH; the connection is closed when one of them fails or is cut off."""
    try:
        failure = await _converse(connection, server, dialing)
    except ConnectionEndedError as error:
        failure = DialFailure(Phase.GREETING, None, str(error))
    except (OSError, ssl.SSLError) as error:
        failure = DialFailure(Phase.TLS, None, str(error) or type(error).__name__)
    except asyncio.CancelledError:
        connection.close()
        raise
    if failure is not None:
        connection.close()
        return failure
    connection.ready()
    return connection


async def _converse(connection: Connection, server: Server, dialing: Dialing) -> DialFailure | None:
    greeting = await connection.reply()
    if not greeting.accepted:
        return DialFailure(Phase.GREETING, greeting, greeting.text)
    failure = await _hello(connection, dialing)
    if failure is None and server.security == "starttls":
        failure = await _encrypt(connection, server, dialing) or await _hello(connection, dialing)
    if failure is None and server.username:
        failure = await _authenticate(connection, server.username, server.password or "")
    return failure


async def _hello(connection: Connection, dialing: Dialing) -> DialFailure | None:
    name = dialing.ehlo_name.encode("ascii")
    reply = await connection.command(b"EHLO " + name)
    if not reply.accepted:
        connection.extensions = {}
        reply = await connection.command(b"HELO " + name)
        return None if reply.accepted else DialFailure(Phase.HELLO, reply, reply.text)
    words = [line.strip().upper().partition(" ") for line in reply.text.split("\n")[1:]]
    connection.extensions = {keyword: arguments.strip() for keyword, _, arguments in words}
    return None


async def _encrypt(connection: Connection, server: Server, dialing: Dialing) -> DialFailure | None:
    if "STARTTLS" not in connection.extensions:
        return DialFailure(Phase.TLS, None, "the server does not offer STARTTLS")
    reply = await connection.command(b"STARTTLS")
    if reply.code != 220:
        return DialFailure(Phase.TLS, reply, reply.text)
    if not connection.replies_are_read():
        return DialFailure(Phase.TLS, None, "the server sent text between its STARTTLS reply and the encryption")
    transport = await asyncio.get_running_loop().start_tls(
        connection.transport, connection, dialing.tls, server_hostname=server.host
    )
    if transport is None:
        return DialFailure(Phase.TLS, None, "the connection ended during the TLS handshake")
    connection.connection_made(transport)
    return None


async def _authenticate(connection: Connection, username: str, password: str) -> DialFailure | None:
    """AUTH PLAIN (RFC 4616), else LOGIN; both are safe beneath TLS only, which `_dial` sees to."""
    offered = connection.extensions.get("AUTH", "").split()
    if "PLAIN" in offered:
        secret = base64.b64encode(f"\0{username}\0{password}".encode())
        reply = await connection.command(b"AUTH PLAIN " + secret)
    elif "LOGIN" in offered:
        reply = await connection.command(b"AUTH LOGIN")
        for answer in (username, password):
            if reply.code != 334:
                break
            reply = await connection.command(base64.b64encode(answer.encode()))
    else:
        return DialFailure(Phase.AUTH, None, "the server offers neither AUTH PLAIN nor LOGIN")
    return None if reply.accepted else DialFailure(Phase.AUTH, reply, reply.text)
