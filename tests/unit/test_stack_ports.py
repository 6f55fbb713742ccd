"""Ports that stay ours."""

import socket
from collections.abc import Iterator

import pytest

from postroad_stack.ports import LOOPBACK, Ports


@pytest.fixture
def ports() -> Iterator[Ports]:
    taken = Ports()
    yield taken
    taken.close()


def test_a_server_of_ours_can_listen_on_its_port(ports: Ports) -> None:
    port = ports.take()
    with socket.create_server((LOOPBACK, port)), socket.create_connection((LOOPBACK, port)):
        pass


def test_another_search_does_not_find_a_port_that_is_taken_but_not_used_yet(ports: Ports) -> None:
    first = ports.take_block(20)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((LOOPBACK, first + 7))


def test_ports_lie_below_those_that_outgoing_connections_use(ports: Ports) -> None:
    with socket.create_server((LOOPBACK, 0)) as anywhere:
        assert ports.take() < anywhere.getsockname()[1]
