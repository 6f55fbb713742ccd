"""One stack for all workers of a test run, started when the first of them asks."""

import asyncio
import contextlib
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Client, Listener

from postroad_stack.errors import StackError
from postroad_stack.servers import Stack, say
from postroad_stack.stack import Wish, open_stack

ADDRESS = "postroad_stack"
"""Key in a worker's input: (host, port, hex key) of the controller."""


class SharedStack:
    """Held by the test run's first process. Starts nothing until somebody asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stack: Stack | None = None
        self._thread = ThreadPoolExecutor(1)
        self._listener: Listener | None = None
        self._key = secrets.token_bytes(16)

    def environment(self) -> dict[str, str]:
        """Addresses of the servers, which are found or started now if they were not before."""
        with self._lock:
            if self._stack is None:
                self._stack = self._thread.submit(asyncio.run, open_stack(Wish(), say)).result()
            return self._stack.environment()

    def listen(self) -> tuple[str, int, str]:
        """Answer other processes; return what `ask_controller` takes."""
        if self._listener is None:
            self._listener = Listener(("127.0.0.1", 0), authkey=self._key)
            threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()
        host, port = self._listener.address
        return str(host), int(port), self._key.hex()

    def close(self) -> None:
        """Stop what was started."""
        if self._listener is not None:
            self._listener.close()
        if self._stack is not None:
            self._thread.submit(asyncio.run, self._stack.aclose()).result()
        self._thread.shutdown()

    def _serve(self, listener: Listener) -> None:
        with contextlib.suppress(OSError):  # closed at the end of the run
            while True:
                with listener.accept() as asking:
                    try:
                        asking.send(self.environment())
                    except StackError as error:
                        asking.send(str(error))


def ask_controller(address: tuple[str, int, str]) -> dict[str, str]:
    """Addresses of the shared servers; StackError if there are none to be had."""
    host, port, key = address
    with Client((host, port), authkey=bytes.fromhex(key)) as controller:
        answer: dict[str, str] | str = controller.recv()
    if isinstance(answer, str):
        raise StackError(answer)
    return answer
