"""`python -m postroad_common.health`: exits 0 when the service of this container answers /healthz, else 1.

Asks 127.0.0.1 at POSTROAD_HTTP_PORT. It is what a container engine runs every few seconds, so it imports little.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException
from typing import Final

_SECONDS: Final = 2.0


def is_alive(port: int) -> bool:
    """Whether a service on this machine answers its /healthz in time."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_alive(int(os.environ["POSTROAD_HTTP_PORT"])) else 1)
