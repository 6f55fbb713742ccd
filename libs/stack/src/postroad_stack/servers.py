"""What callers hold: one PostgreSQL and one RabbitMQ, however they were found."""

import asyncio
import os
import shlex
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

STARTED_BY = "POSTROAD_STACK_STARTED_BY"
"""Set beside the addresses: the way in which the servers were found."""

Log = Callable[[str], None]
T = TypeVar("T")


class PostgresServer(Protocol):
    """A PostgreSQL server that we may do anything to, unless it was given by its address."""

    @property
    def dsn(self) -> str:
        """A superuser's connection to the maintenance database."""

    @property
    def host(self) -> str:
        """Where it listens."""

    @property
    def port(self) -> int:
        """Where it listens."""

    async def kill(self) -> None:
        """SIGKILL the server with its backends; NotOursError for a given one."""

    async def restart(self) -> None:
        """Start again on the same data and port, and wait until it answers."""

    async def pause(self) -> None:
        """SIGSTOP: it keeps its connections and answers nothing."""

    async def resume(self) -> None:
        """SIGCONT after `pause`."""


class RabbitServer(Protocol):
    """One RabbitMQ node, or a cluster of three."""

    @property
    def url(self) -> str:
        """AMQP address of the first node's default vhost."""

    @property
    def nodes(self) -> list[str]:
        """AMQP address of each node's default vhost."""

    @property
    def ctl_command(self) -> list[str]:
        """Runs `rabbitmqctl` against the first node, also from another process; empty if there is no way."""

    async def kill(self, node: int = 0) -> None:
        """SIGKILL a node; NotOursError for a given one. See `sync` for queues that are brand-new."""

    async def restart(self, node: int = 0) -> None:
        """Start a node again on the same data and port, and wait until it answers."""

    async def pause(self, node: int = 0) -> None:
        """SIGSTOP a node: a hung broker, not a dead one."""

    async def resume(self, node: int = 0) -> None:
        """SIGCONT after `pause`."""

    async def create_vhost(self, name: str) -> str:
        """Create one vhost; return the first node's AMQP address for it. About a second."""

    async def create_vhosts(self, names: Sequence[str]) -> list[str]:
        """Create many vhosts for the price of one."""

    async def delete_vhost(self, *names: str) -> None:
        """Delete vhosts with their queues; unknown ones are ignored."""

    async def sync(self) -> None:
        """Have everything declared so far on disk.

        RabbitMQ 3 holds new queues and vhosts back for up to two seconds, and a quorum queue that a kill
        made it forget stays unusable when it is declared again.
        """

    async def ctl(self, *args: str) -> str:
        """Run `rabbitmqctl`; return its output. StartError with its words if it fails."""


@dataclass(frozen=True)
class Stack:
    """Both servers, and how they were found: `env`, `docker` or `local`."""

    way: str
    postgres: PostgresServer
    rabbitmq: RabbitServer
    _resources: AsyncExitStack

    async def aclose(self) -> None:
        """Stop and remove whatever we started."""
        await self._resources.aclose()

    def environment(self) -> dict[str, str]:
        """Variables by which another process finds these very servers."""
        return {
            "POSTROAD_STACK_POSTGRES_DSN": self.postgres.dsn,
            "POSTROAD_STACK_AMQP_URL": self.rabbitmq.url,
            "POSTROAD_STACK_RABBITMQCTL": shlex.join(self.rabbitmq.ctl_command),
            # Given ones are passed on as they were found, or whoever insists on that way starts others.
            STARTED_BY: os.environ.get(STARTED_BY, self.way) if self.way == "env" else self.way,
        }


def say(line: str) -> None:
    """Tell the person at the terminal, on standard error."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


async def timed(log: Log, what: str, work: Awaitable[T]) -> T:
    """Await `work` and say how long it took; every ten seconds, that it still goes on."""
    began = time.monotonic()
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=10.0))[0]:
            log(f"  {what} ... {time.monotonic() - began:.0f} s so far")
    except asyncio.CancelledError:
        task.cancel()
        raise
    result = task.result()
    log(f"  {what} ... {time.monotonic() - began:.1f} s")
    return result


async def together(*starts: Coroutine[Any, Any, object]) -> None:
    """Run several starts at the same time; if one fails, give up the others and raise that failure."""
    try:
        async with asyncio.TaskGroup() as group:
            for start in starts:
                group.create_task(start)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
