"""sequence-api whose names are what the file POSTROAD_TEST_NAMES says at the moment: name servers that turn on us.

A name of null has a name server that does not answer until the file says something else; each look-up of it leaves a
line in the file beside it, `asked`. A registration waits as long as the test likes.
"""

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from postroad_sequence_api.__main__ import main
from postroad_sequence_api.webhooks import posting

NAMES = Path(os.environ["POSTROAD_TEST_NAMES"])
POLL_SECONDS = 0.02
look_up = socket.getaddrinfo


def rebound(host: Any, *arguments: Any, **named: Any) -> Any:
    found = json.loads(NAMES.read_text()).get(host, host)
    if found is None:
        with NAMES.with_name("asked").open("a") as asked:
            asked.write(f"{host}\n")
    while found is None:
        time.sleep(POLL_SECONDS)
        found = json.loads(NAMES.read_text()).get(host, host)
    return look_up(found, *arguments, **named)


if __name__ == "__main__":
    socket.getaddrinfo = rebound
    vars(posting).update(_RESOLVE_SECONDS=60.0)
    main()
