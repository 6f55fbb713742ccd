"""The one entrance: find or start real servers, use them, leave nothing running."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from yarl import URL

from postroad_stack.errors import NoEngineError, WayUnavailableError
from postroad_stack.given import connect_given, is_given
from postroad_stack.local import start_local
from postroad_stack.servers import Log, PostgresServer, RabbitServer, Stack, say

WAY = "POSTROAD_STACK"
WAYS = ("auto", "env", "docker", "local")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the servers shall be like."""

    private: bool = False
    keep: bool = False
    rabbitmq_nodes: int = 1
    postgres_settings: Mapping[str, str] | None = None

    @property
    def takes_given(self) -> bool:
        """True if servers that others may use as well will do."""
        return not self.private and self.rabbitmq_nodes == 1 and not self.postgres_settings


@asynccontextmanager
async def start_stack(
    log: Log = say,
    *,
    keep: bool = False,
    private: bool = False,
    rabbitmq_nodes: int = 1,
    postgres_settings: Mapping[str, str] | None = None,
) -> AsyncIterator[Stack]:
    """Real PostgreSQL and RabbitMQ for as long as the block runs.

    Found in this order: given addresses, Docker, programs on this machine. `POSTROAD_STACK` (auto, env,
    docker, local) forces a way; a forced way fails with WayUnavailableError rather than fall back.
    `private` passes over given addresses, for tests that kill what they use; so do more than one of
    `rabbitmq_nodes` and any `postgres_settings`. `keep` leaves data and logs behind.
    """
    wish = Wish(private=private, keep=keep, rabbitmq_nodes=rabbitmq_nodes, postgres_settings=postgres_settings)
    stack = await open_stack(wish, log)
    try:
        yield stack
    finally:
        await stack.aclose()


async def open_stack(wish: Wish, log: Log) -> Stack:
    """Find or start servers; whoever calls this closes the stack."""
    asked = os.environ.get(WAY, "auto")
    if asked not in WAYS:
        raise WayUnavailableError(f"{WAY}={asked} is none of {', '.join(WAYS)}")
    async with AsyncExitStack() as resources:
        way, postgres, rabbitmq = await _find(asked, wish, log, resources)
        log(f"stack: {way}, PostgreSQL {postgres.host}:{postgres.port}, RabbitMQ {_place(rabbitmq)}")
        return Stack(way, postgres, rabbitmq, resources.pop_all())


async def _find(
    asked: str, wish: Wish, log: Log, resources: AsyncExitStack
) -> tuple[str, PostgresServer, RabbitServer]:
    if wish.takes_given and is_given(os.environ, asked):
        return ("env", *await connect_given(os.environ))
    if asked == "env":
        raise WayUnavailableError(f"{WAY}=env, but servers of our own are needed here")
    if asked in {"auto", "docker"}:
        try:
            return ("docker", *await _docker(wish, log, resources))
        except WayUnavailableError as error:
            if asked == "docker":
                raise WayUnavailableError(f"{WAY}=docker: {error}") from error
            if not isinstance(error, NoEngineError):
                log(f"{error}; using the programs on this machine instead")
    servers = await start_local(
        log, resources, keep=wish.keep, rabbitmq_nodes=wish.rabbitmq_nodes, postgres_settings=wish.postgres_settings
    )
    return ("local", *servers)


async def _docker(wish: Wish, log: Log, resources: AsyncExitStack) -> tuple[PostgresServer, RabbitServer]:
    from postroad_stack.containers import start_containers  # noqa: PLC0415 -- half a second, for those who need it
    from postroad_stack.engine import check_engine, ensure_images  # noqa: PLC0415 -- likewise

    await check_engine()
    await ensure_images(log)
    return await start_containers(
        log, resources, rabbitmq_nodes=wish.rabbitmq_nodes, postgres_settings=wish.postgres_settings
    )


def _place(rabbitmq: RabbitServer) -> str:
    return ", ".join(f"{url.host}:{url.port}" for url in map(URL, rabbitmq.nodes))
