"""Answers in gzip for those who take it."""

import re
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

_GZIP: Final = re.compile(
    r"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?P<weight>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*)?(?:,|$)", re.IGNORECASE
)
_LEAST_BYTES: Final = 1024  # below it the answer fits one packet anyway


@web.middleware
async def compress(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Compress what is long enough. Streams decide for themselves: one that reports progress must not be held up."""
    response = await handler(request)
    if isinstance(response, web.Response) and isinstance(response.body, bytes) and len(response.body) >= _LEAST_BYTES:
        response.headers.add("Vary", "Accept-Encoding")
        if takes_gzip(request.headers.get("Accept-Encoding", "")):
            response.enable_compression(web.ContentCoding.gzip)
    return response


def takes_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header names gzip with a weight above 0 (RFC 9110 12.5.3)."""
    found = _GZIP.search(accept_encoding)
    return found is not None and float(found["weight"] or 1) > 0
