"""Long answers, sent piece by piece while they are read."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from postroad_sequence_api.compression import takes_gzip

_STALLED_SECONDS: Final = 60.0
_HEADERS: Final = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}


async def stream(request: web.Request, media_type: str, pieces: AsyncIterator[bytes]) -> web.StreamResponse:
    """Answer with pieces as they come, compressed for who takes gzip; no more than one is in memory.

    What is raised before the first piece is answered as a problem. Later, and when the reader takes none for a minute,
    the connection is cut, so that nobody takes a part for the whole.
    """
    response = web.StreamResponse(headers=_HEADERS)
    response.content_type = media_type
    if takes_gzip(request.headers.get("Accept-Encoding", "")):
        response.enable_compression(web.ContentCoding.gzip)
    piece = await anext(pieces, None)
    await response.prepare(request)
    try:
        while piece is not None:
            async with asyncio.timeout(_STALLED_SECONDS):
                await response.write(piece)
            piece = await anext(pieces, None)
        await response.write_eof()
    except BaseException:
        if request.transport is not None:
            request.transport.abort()
        raise
    return response
