"""A link is made again whatever the other side does while it is being made."""

import asyncio

import pytest
from aiormq import Connection
from typing_extensions import override

from postroad_common.amqp import link
from postroad_stack.eventually import eventually


async def ready(_connection: Connection) -> None:
    """Nothing to prepare."""


@pytest.mark.parametrize("says", [b"", b"AMQP", b"\x01\x00\x00\x00\x00\x00\x04junk"])
async def test_a_server_that_hangs_up_in_the_handshake_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, says: bytes
) -> None:
    monkeypatch.setattr(link, "LONGEST_PAUSE_SECONDS", 0.05)
    tried = 0

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tried
        tried += 1
        writer.write(says)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    tested = link.Link(f"amqp://a:b@127.0.0.1:{server.sockets[0].getsockname()[1]}/", name="test", prepare=ready)
    tested.start()
    try:
        await eventually(lambda: tried >= 30, timeout=20, reason="thirty tries")
        assert not tested.connected
    finally:
        await tested.close()
        server.close()


async def test_a_library_that_ends_its_iteration_in_the_handshake_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = 0

    class Ended(Connection):
        """As the library behaves when the server's end comes before it waits for the first frame."""

        @override
        async def connect(self, client_properties: object = None) -> bool:
            nonlocal tried
            tried += 1
            raise StopAsyncIteration

    monkeypatch.setattr(link, "LONGEST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(link, "Connection", Ended)
    tested = link.Link("amqp://a:b@127.0.0.1:1/", name="test", prepare=ready)
    tested.start()
    try:
        await eventually(lambda: tried >= 5, timeout=10, reason="five tries")
    finally:
        await tested.close()
