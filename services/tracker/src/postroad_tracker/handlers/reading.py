"""Reading a request from anybody: its body bounded, its address and agent as they may be believed."""

import asyncio
import ipaddress
import zlib
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from postroad_common.problems import Problem
from postroad_tracker.esp.reading import clean

_BODY_SECONDS: Final = 10.0
_MAX_USER_AGENT: Final = 500


class Bodies:
    """Reads request bodies, bounded in size and time."""

    def __init__(self) -> None:
        self._deadlines: set[asyncio.Timeout] = set()

    async def read(self, request: web.Request, limit: int) -> bytes:
        """The body, decompressed, at most limit bytes of it; raises Problem 400, 413, 415 or 429.

        One that comes too slowly is 429, not 408: providers send it again after that only.
        """
        if (request.content_length or 0) > limit:
            raise _too_large(limit)
        unpack = _unpacker(request.headers.get("Content-Encoding", "identity"))
        try:
            async with asyncio.timeout(_BODY_SECONDS) as deadline:
                self._deadlines.add(deadline)
                try:
                    return await _read(request, unpack, limit)
                finally:
                    self._deadlines.discard(deadline)
        except TimeoutError as error:
            raise _too_slow() from error
        except (ClientPayloadError, HttpProcessingError, zlib.error) as error:
            raise Problem(400, "unreadable_body", "The body cannot be read", "It is cut or damaged.") from error

    async def give_up(self, _app: web.Application) -> None:
        """The server is shutting down and takes in no more bytes: do not wait for them."""
        now = asyncio.get_running_loop().time()
        for deadline in self._deadlines:
            if not deadline.expired():
                deadline.reschedule(now)


async def _read(request: web.Request, unpack: Callable[[bytes, int], bytes], limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += unpack(chunk, limit + 1 - len(body))
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    """What turns a chunk into at most so many bytes of the body; raises Problem 415."""
    match encoding.strip().lower():
        case "" | "identity":
            return _as_it_is
        case "gzip" | "x-gzip":
            return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress
        case "deflate":
            return zlib.decompressobj().decompress
        case _:
            raise Problem(415, "unknown_encoding", "The encoding is not known", "gzip, deflate or none.")


def _as_it_is(chunk: bytes, _limit: int) -> bytes:
    return chunk


def client_ip(request: web.Request, trusted: Sequence[IPv4Network | IPv6Network]) -> str | None:
    """The address of the client: the peer, or what trusted proxies say of it, from the nearest one on."""
    current = _address(request.remote)
    forwarded = ",".join(request.headers.getall("X-Forwarded-For", []))
    for hop in reversed(forwarded.split(",")):
        if current is None or not any(current in network for network in trusted):
            break
        current = _address(hop.strip()) or current
    return str(current) if current else None


def user_agent(request: web.Request) -> str | None:
    """What the client calls itself, bounded and clean."""
    return clean(request.headers.get("User-Agent", ""), _MAX_USER_AGENT) or None


def wants_html(request: web.Request) -> bool:
    """Whether a person's browser is asking."""
    return "text/html" in request.headers.get("Accept", "")


def _address(text: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _too_slow() -> Problem:
    return Problem(
        429, "too_slow", "The body did not arrive in time", "Send the request again.", headers={"Retry-After": "5"}
    )


def _too_large(limit: int) -> Problem:
    return Problem(413, "too_large", "The body is too large", f"At most {limit} bytes, after decompression.")
