"""Learns from a process's log where it listens."""

import json
import time
from typing import Any

from postroad_stack.errors import StartError
from postroad_stack.eventually import eventually
from postroad_stack.process import Process


async def listening_port(process: Process, *, patience: float = 60.0) -> int:
    """The port of the first `{"event": "listening", "port": …}` line in the process's log.

    Raises StartError with the tail of the log when the process ends or `patience` seconds pass without one.
    """
    began = time.monotonic()

    def port() -> int:
        process.check_running()
        return _port_in(process.log.read_bytes())

    try:
        return await eventually(port, timeout=patience, interval=0.05)
    except AssertionError:
        waited = time.monotonic() - began
        raise StartError(f"{process.name} does not listen after {waited:.0f} s:\n{process.log_tail()}") from None


def _port_in(log: bytes) -> int:
    for line in log.splitlines():
        if b'"listening"' in line and (said := _parse(line)).get("event") == "listening":
            return int(said["port"])
    return 0


def _parse(line: bytes) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}  # half a line, or another program's words
    return said if isinstance(said, dict) else {}
