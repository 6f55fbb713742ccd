"""A load of GET requests over kept connections: as many a second as the server answers, with the slowest of them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Load:
    """What a load came to: answers per second, and the 95th percentile of their times in milliseconds."""

    per_second: float
    p95_ms: float


async def get_for(url: str, *, seconds: float, connections: int, key: str = "") -> Load:
    """Ask a URL again and again. Raises RuntimeError for an answer other than 200."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"GET {target} HTTP/1.1", f"Host: {parts.netloc}", *([f"Authorization: Bearer {key}"] if key else [])]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    times: list[float] = []
    ends = time.perf_counter() + seconds

    async def ask() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while (began := time.perf_counter()) < ends:
            writer.write(request)
            await _answer(reader)
            times.append(time.perf_counter() - began)
        writer.close()
        await writer.wait_closed()

    started = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(connections)))
    times.sort()
    return Load(len(times) / (time.perf_counter() - started), 1000 * times[int(len(times) * 0.95)])


async def _answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode(errors="replace").splitlines()[0])
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
