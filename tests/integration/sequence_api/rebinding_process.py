"""sequence-api whose names are what the file POSTROAD_TEST_NAMES says at the moment: a name server that turns on us."""

import json
import os
import socket
from pathlib import Path
from typing import Any

from postroad_sequence_api.__main__ import main

NAMES = Path(os.environ["POSTROAD_TEST_NAMES"])
look_up = socket.getaddrinfo


def rebound(host: Any, *arguments: Any, **named: Any) -> Any:
    return look_up(json.loads(NAMES.read_text()).get(host, host), *arguments, **named)


if __name__ == "__main__":
    socket.getaddrinfo = rebound
    main()
