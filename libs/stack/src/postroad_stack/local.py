"""Both servers from the programs on this machine, installed first where we may."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

from postroad_stack import apt
from postroad_stack.errors import NothingFoundError
from postroad_stack.keeper import Keeper
from postroad_stack.local_postgres import LocalPostgres, make_postgres, start_postgres
from postroad_stack.local_rabbitmq import LocalRabbit, make_rabbitmq, start_rabbitmq
from postroad_stack.ports import Ports
from postroad_stack.programs import PostgresPrograms, RabbitPrograms, find_postgres, find_rabbitmq
from postroad_stack.servers import Log, timed, together

INSTALL = """\
Postroad needs PostgreSQL (15 or later) and RabbitMQ (3.10 or later). Any of these will do:
  - a Docker engine that answers (Docker Desktop, Podman's Docker socket, ...)
  - their programs: `apt install postgresql rabbitmq-server`, or `brew install postgresql@17 rabbitmq`
  - addresses of servers that you run: POSTROAD_STACK_POSTGRES_DSN (a superuser's) and POSTROAD_STACK_AMQP_URL"""


async def ensure_programs(log: Log) -> tuple[PostgresPrograms, RabbitPrograms]:
    """Find the programs, or install what is missing; NothingFoundError says what a person can do."""
    if missing := _missing():
        if not apt.can_install():
            raise NothingFoundError(f"not found: {', '.join(missing)}.\n{INSTALL}")
        await asyncio.to_thread(apt.install, missing, log, still_missing=lambda: bool(_missing()))
    postgres, rabbitmq = find_postgres(), find_rabbitmq()
    if postgres is None or rabbitmq is None:
        raise NothingFoundError(f"still not found: {', '.join(_missing())}.\n{INSTALL}")
    return postgres, rabbitmq


async def start_local(
    log: Log,
    resources: AsyncExitStack,
    *,
    keep: bool,
    rabbitmq_nodes: int,
    postgres_settings: Mapping[str, str] | None,
) -> tuple[LocalPostgres, LocalRabbit]:
    """Start both servers at the same time under one keeper."""
    postgres, rabbitmq = await ensure_programs(log)
    ports = Ports()
    resources.callback(ports.close)
    keeper = await asyncio.to_thread(Keeper)
    resources.push_async_callback(keeper.aclose)
    if keep:
        await keeper.keep_files()
    cluster = f" ({rabbitmq_nodes} nodes)" if rabbitmq_nodes > 1 else ""
    log(f"starting servers of our own, with their data in {keeper.root.parent}")
    database = make_postgres(keeper, postgres, ports, postgres_settings)
    broker = make_rabbitmq(keeper, rabbitmq, ports, nodes=rabbitmq_nodes)
    await together(
        timed(log, f"PostgreSQL {postgres.major}", start_postgres(database)),
        timed(log, f"RabbitMQ{cluster}", start_rabbitmq(broker)),
    )
    if keep:
        log(f"data and logs stay in {keeper.root}")
    return database, broker


def _missing() -> list[str]:
    """Debian package names of what is not here."""
    wanted = {"postgresql": find_postgres(), "rabbitmq-server": find_rabbitmq()}
    return [package for package, found in wanted.items() if found is None]
