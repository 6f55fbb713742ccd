"""One post of an event: dialed safely, bounded in time and size, never redirected."""

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Self

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from postroad_sequence_api.webhooks.destinations import PrivateAddressError, Reach

EXCERPT_BYTES: Final = 1000
"""As much as is read and kept of an answer's body."""

_HEADERS: Final = {
    "Content-Type": "application/json",
    "User-Agent": "Postroad-Webhooks/1",
    "Accept-Encoding": "identity",
    "Accept": "*/*",
}
_IDLE_SECONDS: Final = 20.0
_RESOLVE_SECONDS: Final = 3.0
_NO_ADDRESS: Final = "the host has no public address"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a post. error is None when the receiver has the event (2xx)."""

    status: int | None
    error: str | None
    response: str
    seconds: float
    """Until the headers of the answer, or the failure."""
    retry_after: float | None = None
    """Seconds that the receiver asked to wait (429, 503)."""


class Poster:
    """Posts to where `reach` allows; every connection is checked by the very address that it is made to.

    Neither proxies nor credentials are taken from the environment.
    """

    def __init__(self, reach: Reach, resolver: AbstractResolver, *, timeout_seconds: float) -> None:
        self.reach = reach
        self._resolver = resolver
        self._sessions = {
            "https": _session(reach, resolver, timeout_seconds, encrypted=True),
            "http": _session(reach, resolver, timeout_seconds, encrypted=False),
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for session in self._sessions.values():
            await session.close()
        await self._resolver.close()

    async def check(self, text: str) -> URL:
        """A URL to be registered, in the spelling in which it is dialed. Raises ValueError, which says what is wrong.

        A host that leads to no address that may be dialed is refused; one that cannot be resolved now is not.
        """
        url = self.reach.read(text)
        try:
            async with asyncio.timeout(_RESOLVE_SECONDS):
                found = await self._resolver.resolve(url.raw_host or "", url.port or 0, socket.AF_UNSPEC)
        except (OSError, UnicodeError):  # TimeoutError is an OSError
            return url
        if not any(self.reach.allows(one["host"], encrypted=url.scheme == "https") for one in found):
            raise ValueError("must have a public address")
        return url

    async def post(self, url: URL, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post once; every failure is an answer."""
        started = time.monotonic()
        try:
            async with self._sessions[url.scheme].post(
                url, data=body, headers=headers, allow_redirects=False
            ) as response:
                seconds = time.monotonic() - started
                excerpt = await _excerpt(response)
                return Answer(response.status, _refusal(response), excerpt, seconds, _retry_after(response))
        except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
            return Answer(None, _failure(error), "", time.monotonic() - started)


def _session(
    reach: Reach, resolver: AbstractResolver, timeout_seconds: float, *, encrypted: bool
) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        resolver=resolver,
        use_dns_cache=False,
        limit=0,  # whoever posts bounds how many
        keepalive_timeout=_IDLE_SECONDS,
        ssl=ssl.create_default_context() if encrypted else True,
        socket_factory=_checked_socket(reach, encrypted=encrypted),
    )
    return aiohttp.ClientSession(
        connector=connector,
        headers=_HEADERS,
        timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        read_bufsize=2**14,
    )


def _checked_socket(reach: Reach, *, encrypted: bool) -> Callable[[Any], socket.socket]:
    """Makes the socket of a connection, and refuses to for an address that may not be dialed.

    Here the address is final: no later resolution and no other spelling comes between the check and the connection.
    """

    def make(addr_info: tuple[int, int, int, str, tuple[Any, ...]]) -> socket.socket:
        family, kind, proto, _, sockaddr = addr_info
        if not reach.allows(str(sockaddr[0]), encrypted=encrypted):
            raise PrivateAddressError(_NO_ADDRESS)
        return socket.socket(family, kind, proto)

    return make


async def _excerpt(response: aiohttp.ClientResponse) -> str:
    """The beginning of the body; an answer that stalls or breaks off in its body has its status all the same."""
    read = bytearray()
    try:
        while len(read) < EXCERPT_BYTES and (part := await response.content.read(EXCERPT_BYTES - len(read))):
            read += part
    except (aiohttp.ClientError, OSError):
        pass
    if not response.content.at_eof():
        response.close()
    return read.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _refusal(response: aiohttp.ClientResponse) -> str | None:
    if 200 <= response.status < 300:
        return None
    redirect = ": redirects are not followed" if 300 <= response.status < 400 else ""
    return f"HTTP {response.status}{redirect}"


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    """Retry-After in either of its forms (RFC 9110 10.2.3)."""
    value = response.headers.get("Retry-After", "").strip()
    if response.status not in (429, 503) or not value:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # no date, or one whose numbers no date has
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


_WORDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (TimeoutError, "no answer in time"),
    (aiohttp.ClientConnectorDNSError, _NO_ADDRESS),
    (aiohttp.ClientConnectorSSLError, "the TLS handshake failed"),
    (aiohttp.ServerDisconnectedError, "the connection was closed before the answer"),
    (ConnectionError, "the connection was closed before the answer"),
    (aiohttp.ClientResponseError, "the answer is not HTTP"),
)


def _failure(error: Exception) -> str:
    """What went wrong, in words that tell a tenant nothing of our own network."""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the certificate is not valid: {error.certificate_error}"[:300]
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        if isinstance(cause, PrivateAddressError) or cause.errno is None:
            return _NO_ADDRESS
        return f"no connection: {os.strerror(cause.errno)}"
    return f"the post failed: {type(error).__name__}"
