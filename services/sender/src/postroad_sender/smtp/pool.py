"""The connections of one sender: how many there are, which are free, when another is worth dialing."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from postroad_sender.metrics import DIALS
from postroad_sender.smtp.connection import Connection
from postroad_sender.smtp.dial import DialFailure, Dialing, Server, dial


@dataclass(frozen=True, slots=True)
class Account:
    """Where to connect and how many times at once."""

    server: Server
    limit: int


@dataclass(frozen=True, slots=True)
class Wear:
    """When a connection has done enough: after that many messages, or idle for so many seconds."""

    messages: int
    idle: float


class Connections:
    """Free connections are taken and given back; more are dialed on demand, up to the account's limit."""

    def __init__(
        self, dialing: Dialing, wear: Wear, *, on_free: Callable[[], None], on_failure: Callable[[DialFailure], None]
    ) -> None:
        self._dialing = dialing
        self._wear = wear
        self._on_free = on_free
        self._on_failure = on_failure
        self._account: Account | None = None
        self._idle: list[tuple[Connection, Account, float]] = []
        self._busy: dict[Connection, Account] = {}
        self._dials: set[asyncio.Task[None] | None] = set()
        self._no_dial_before = 0.0

    def use(self, account: Account) -> None:
        """Serve this account from now on; connections of another server or login are let go."""
        if self._account is not None and self._account.server != account.server:
            self._close_all_idle()
            self._no_dial_before = 0.0
        self._account = account

    @property
    def free(self) -> int:
        """How many may take a message at once."""
        self._idle = [entry for entry in self._idle if entry[0].usable]
        return len(self._idle)

    @property
    def none_left(self) -> bool:
        """Whether there is neither a connection nor one being made."""
        return not (self._idle or self._busy or self._dials)

    def take(self) -> Connection:
        """Take the connection that was used last; the others may then grow idle and be closed."""
        connection, account, _ = self._idle.pop()
        self._busy[connection] = account
        return connection

    def give_back(self, connection: Connection) -> None:
        """Give a connection back; it is kept while it is usable, fresh enough and of the account in use."""
        account = self._busy.pop(connection)
        current = self._account is not None and self._account.server == account.server
        within = len(self._idle) + len(self._busy) < (self._account.limit if self._account else 0)
        if connection.usable and current and within and connection.sent < self._wear.messages:
            self._idle.append((connection, account, time.monotonic()))
        else:
            connection.close()
        self._on_free()

    def grow(self, wanted: int) -> None:
        """Dial until `wanted` messages could go at once, within the limit."""
        if self._account is None or time.monotonic() < self._no_dial_before:
            return
        room = self._account.limit - len(self._idle) - len(self._busy) - len(self._dials)
        for _ in range(min(room, wanted - len(self._idle) - len(self._dials))):
            task = asyncio.create_task(self._dial(self._account))
            self._dials.add(task)
            task.add_done_callback(self._dials.discard)

    def rest(self, seconds: float) -> None:
        """Dial nobody for a while: the server takes no more connections than there are."""
        self._no_dial_before = time.monotonic() + seconds

    def close_idle(self) -> None:
        """Close what has been free for long, and what its server has closed."""
        now = time.monotonic()
        kept = []
        for connection, account, since in self._idle:
            if connection.usable and now - since < self._wear.idle:
                kept.append((connection, account, since))
            else:
                connection.close()
        self._idle = kept

    async def close(self) -> None:
        """Close every connection; none may be taken."""
        self._account = None
        dials = [task for task in self._dials if task is not None]
        for task in dials:
            task.cancel()
        await asyncio.gather(*dials, return_exceptions=True)
        self._close_all_idle()

    def _close_all_idle(self) -> None:
        for connection, *_ in self._idle:
            connection.close()
        self._idle = []

    async def _dial(self, account: Account) -> None:
        made = await dial(account.server, self._dialing)
        DIALS.labels(made.phase.value if isinstance(made, DialFailure) else "made").inc()
        self._dials.discard(asyncio.current_task())  # before anybody is told
        if isinstance(made, DialFailure):
            if self._account is not None and self._account.server == account.server:
                self._on_failure(made)
        elif self._account is None or self._account.server != account.server:
            made.close()
        else:
            self._idle.append((made, account, time.monotonic()))
            self._on_free()
