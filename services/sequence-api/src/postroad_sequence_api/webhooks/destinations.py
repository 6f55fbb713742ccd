"""Where webhooks may go: a tenant names the URL, so it must lead nowhere that only we can reach (SSRF)."""

import asyncio
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override
from yarl import URL

from postroad_common.addresses import is_public

Network = IPv4Network | IPv6Network

MAX_URL_LENGTH: Final = 2000
_FIRST_FREE_PORT: Final = 1024
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\\]")
_AUTHORITY: Final = re.compile(r"[^/]*//([^/?#]*).*", re.DOTALL)
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_OURS_ALONE: Final = frozenset(
    {"localhost", "localdomain", "local", "internal", "intranet", "private", "corp", "home", "lan", "arpa", "onion"}
)
"""Last labels that no public name has: RFC 6761, 6762, 7686, 8375, ICANN's reservation of .internal, and habit."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Public addresses by https; those of trusted networks, which development and tests have, by http too."""

    trusted: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Reach":
        """Read "127.0.0.1,172.16.0.0/12"; raises ValueError."""
        return cls(tuple(ip_network(part.strip()) for part in text.split(",") if part.strip()))

    def allows(self, address: str, *, encrypted: bool) -> bool:
        """Whether a connection may be made to an address."""
        ip = ip_address(address.partition("%")[0])
        return any(ip in network for network in self.trusted) or (encrypted and is_public(address))

    def read(self, text: str) -> URL:
        """The URL of a receiver, in the spelling in which it is dialed. Raises ValueError, which says what is wrong.

        A name is judged by its addresses, when it is registered and whenever it is dialed.
        """
        url = _parse(text)
        host = (url.raw_host or "").lower()
        if url.scheme != "https" and not (url.scheme == "http" and self.trusted):
            raise ValueError("must begin with https://")
        if ":" in host:
            self._check_address(url, host)
        elif _is_numeric(name := host.removesuffix(".")):
            self._check_address(url, name)
        else:
            self._check_name(name)
        if not self.trusted and url.port is not None and url.port != 443 and url.port < _FIRST_FREE_PORT:
            raise ValueError("must use port 443, or one from 1024 on")
        return url

    def _check_address(self, url: URL, host: str) -> None:
        try:
            address = str(IPv4Address(host)) if ":" not in host else host
            allowed = "%" not in host and self.allows(address, encrypted=url.scheme == "https")
        except ValueError as error:
            raise ValueError("names its host by an address in an unusual spelling") from error
        if not allowed:
            raise ValueError("must have a public address")

    def _check_name(self, name: str) -> None:
        labels = name.split(".")
        if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
            raise ValueError("has no valid host name")
        if not self.trusted and (len(labels) < 2 or labels[-1] in _OURS_ALONE):
            raise ValueError("must have a public host name")


def _parse(text: str) -> URL:
    if len(text) > MAX_URL_LENGTH:
        raise ValueError(f"must have at most {MAX_URL_LENGTH} characters")
    if _UNSAFE.search(text):
        raise ValueError("must not contain spaces, backslashes or control characters")
    try:
        url = URL(text)
    except ValueError as error:
        raise ValueError("is not a URL") from error
    if not url.raw_host:
        raise ValueError("must have a host")
    if "@" in _AUTHORITY.sub(r"\1", text):
        raise ValueError("must not contain a user name or password")
    if "#" in text:
        raise ValueError("must not have a fragment (#)")
    return url


def _is_numeric(name: str) -> bool:
    """Whether resolvers may read a name as an IPv4 address, in whatever spelling (WHATWG: it ends in a number)."""
    return bool(_NUMBER.fullmatch(name.rpartition(".")[2]))


class PrivateAddressError(OSError):
    """A host leads, with all its addresses or the one being dialed, to where webhooks may not go."""


class Resolver(AbstractResolver):
    """The system's resolver in so many threads of its own: names that do not answer hold up nobody else's.

    A look-up keeps its thread until the system gives it up, also when nobody waits for it any more.
    """

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="webhook-dns")

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host; whether one may be dialed is asked when it is. Raises OSError."""
        look_up = partial(socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [
            ResolveResult(
                hostname=host,
                host=str(sockaddr[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, proto, _, sockaddr in found
        ]

    @override
    async def close(self) -> None:
        """Wait for nothing."""
        self._threads.shutdown(wait=False, cancel_futures=True)
