"""What an engine's health check sees."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from postroad_common.health import is_alive


async def asked(status: int) -> bool:
    """What the check says of a service that answers so."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(status=status)

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    async with TestServer(app, host="127.0.0.1") as server:
        return await asyncio.to_thread(is_alive, server.port or 0)


async def test_a_service_that_answers_is_alive() -> None:
    assert await asked(200)


async def test_a_service_that_answers_with_an_error_is_not() -> None:
    assert not await asked(503)


def test_where_nothing_listens_nothing_is_alive() -> None:
    assert not is_alive(unused_port())


async def test_a_server_that_speaks_something_else_is_not_alive() -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        assert not await asyncio.to_thread(is_alive, server.sockets[0].getsockname()[1])
