"""Free loopback ports that stay ours from the moment they are chosen."""

import random
import socket
import sys
from pathlib import Path

from postroad_stack.errors import StartError

LOOPBACK = "127.0.0.1"
FIRST = 20_000
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


class Ports:
    """Hands out free TCP ports below the range that outgoing connections use.

    On Linux each stays bound, without listening, until `close`: a server of ours may share the binding
    because both sides set SO_REUSEADDR, while another run's search finds the port taken.
    """

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def take(self) -> int:
        """Return one free port."""
        return self.take_block(1)

    def take_block(self, length: int) -> int:
        """Return the first of `length` free ports in a row."""
        last = _first_ephemeral() - length
        for _ in range(500):
            start = random.randrange(FIRST, last)  # noqa: S311 -- spreads runs apart, guards nothing
            if self._hold(range(start, start + length)):
                return start
        raise StartError(f"no {length} free ports in a row between {FIRST} and {last}")

    def close(self) -> None:
        """Let go of all ports."""
        for held in self._held:
            held.close()
        self._held.clear()

    def _hold(self, ports: range) -> bool:
        taken: list[socket.socket] = []
        for port in ports:
            held = _bind(port)
            if held is None:
                for other in taken:
                    other.close()
                return False
            taken.append(held)
        if sys.platform == "linux":
            self._held += taken
        else:  # elsewhere a second binding of the same address is refused
            for other in taken:
                other.close()
        return True


def _bind(port: int) -> socket.socket | None:
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        held.bind((LOOPBACK, port))  # without SO_REUSEADDR: refused while anybody else has it
    except OSError:
        held.close()
        return None
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return held


def _first_ephemeral() -> int:
    if EPHEMERAL.exists():
        first = int(EPHEMERAL.read_text().split()[0])
        if first > FIRST + 1000:
            return first
    return 32_768
