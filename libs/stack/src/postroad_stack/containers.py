"""Both servers as containers, by testcontainers."""

import asyncio
import secrets
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from postroad_stack.answering import amqp_answers, postgres_answers, until_answering
from postroad_stack.engine import POSTGRES_IMAGE, RABBITMQ_IMAGE, published_host
from postroad_stack.errors import StartError
from postroad_stack.keeper import Keeper
from postroad_stack.ports import LOOPBACK, Ports
from postroad_stack.rabbitmqctl import Ctl, run_ctl
from postroad_stack.servers import Log, timed, together

BOOT_LIMIT = 180.0
USER = "postroad"
POSTGRES_SETTINGS = {"max_connections": "300", "shared_buffers": "256MB", "timezone": "UTC", "max_wal_size": "4GB"}
ERLANG_ARGS = "-setcookie {cookie} -kernel net_ticktime 8 -rabbit cluster_partition_handling pause_minority"


@dataclass
class DockerPostgres:
    """See PostgresServer."""

    container: DockerContainer
    host: str
    port: int
    password: str = field(repr=False)

    @property
    def dsn(self) -> str:
        """A superuser's connection to the maintenance database."""
        return f"postgresql://postgres:{self.password}@{self.host}:{self.port}/postgres"

    async def start(self) -> None:
        """Create and start the container and wait until a session can be opened from here."""
        await asyncio.to_thread(self.container.start)
        await self._answering()

    async def kill(self) -> None:
        """SIGKILL the server with its backends."""
        await _kill(self.container)

    async def restart(self) -> None:
        """Start again on the same data and port, and wait until it answers."""
        await _kill(self.container)
        await asyncio.to_thread(self.container.get_wrapped_container().start)
        await self._answering()

    async def pause(self) -> None:
        """Freeze the container."""
        await asyncio.to_thread(self.container.get_wrapped_container().pause)

    async def resume(self) -> None:
        """Thaw the container."""
        await asyncio.to_thread(self.container.get_wrapped_container().unpause)

    async def _answering(self) -> None:
        await until_answering(self._up, limit=BOOT_LIMIT, accept=bool)

    async def _up(self) -> bool:
        await asyncio.to_thread(_check_running, self.container)
        return await postgres_answers(self.dsn)


@dataclass
class DockerRabbit(Ctl):
    """See RabbitServer."""

    containers: list[DockerContainer]
    names: list[str]
    nodes: list[str] = field(repr=False)

    def __post_init__(self) -> None:
        self.url = self.nodes[0]
        self.ctl_command = ctl_command(self.names[0])

    async def start(self, node: int) -> None:
        """Create and start one node's container and wait until it takes connections from here."""
        await asyncio.to_thread(self.containers[node].start)
        await self._answering(node)

    async def kill(self, node: int = 0) -> None:
        """SIGKILL a node."""
        await _kill(self.containers[node])

    async def restart(self, node: int = 0) -> None:
        """Start a node again on the same data and port, and wait until it answers."""
        await _kill(self.containers[node])
        await asyncio.to_thread(self.containers[node].get_wrapped_container().start)
        await self._answering(node)

    async def pause(self, node: int = 0) -> None:
        """Freeze a node: a hung broker, not a dead one."""
        await asyncio.to_thread(self.containers[node].get_wrapped_container().pause)

    async def resume(self, node: int = 0) -> None:
        """Thaw a node after `pause`."""
        await asyncio.to_thread(self.containers[node].get_wrapped_container().unpause)

    async def join(self, node: int) -> None:
        """Make a started node a member of the first one's cluster."""
        for step in (["stop_app"], ["reset"], ["join_cluster", "rabbit@rabbit0"], ["start_app"]):
            await run_ctl(ctl_command(self.names[node]), *step)

    async def _answering(self, node: int) -> None:
        await until_answering(lambda: self._up(node), limit=BOOT_LIMIT, accept=bool)

    async def _up(self, node: int) -> bool:
        await asyncio.to_thread(_check_running, self.containers[node])
        return await amqp_answers(self.nodes[node])


def ctl_command(container: str) -> list[str]:
    """Command line that runs `rabbitmqctl` in a container, from any process."""
    return [sys.executable, "-m", "postroad_stack", "container-ctl", container]


async def start_containers(
    log: Log,
    resources: AsyncExitStack,
    *,
    rabbitmq_nodes: int,
    postgres_settings: Mapping[str, str] | None,
) -> tuple[DockerPostgres, DockerRabbit]:
    """Start both servers at the same time; a keeper removes them, also if we are killed."""
    testcontainers_config.ryuk_disabled = True  # what the reaper container does, the keeper does
    run = f"postroad-stack-{secrets.token_hex(4)}"
    ports, host = Ports(), await asyncio.to_thread(published_host)
    resources.callback(ports.close)
    names = [f"{run}-postgres", *(f"{run}-rabbit{number}" for number in range(rabbitmq_nodes))]
    keeper = await asyncio.to_thread(Keeper)
    resources.push_async_callback(keeper.aclose)
    await keeper.at_end([sys.executable, "-m", "postroad_stack", "remove-containers", run, *names])
    postgres = make_postgres(names[0], host, ports, postgres_settings)
    rabbitmq = await asyncio.to_thread(make_rabbitmq, run, names[1:], host, ports)
    log("starting containers of our own")
    await together(
        timed(log, POSTGRES_IMAGE, postgres.start()),
        timed(log, RABBITMQ_IMAGE, start_rabbitmq(rabbitmq)),
    )
    for container in (postgres.container, *rabbitmq.containers):
        log(f"container {container.get_container_id()} runs {container.image}")
    return postgres, rabbitmq


def make_postgres(name: str, host: str, ports: Ports, settings: Mapping[str, str] | None) -> DockerPostgres:
    """Describe the PostgreSQL container."""
    password, port = secrets.token_urlsafe(18), ports.take()
    options = [
        part for key, value in {**POSTGRES_SETTINGS, **(settings or {})}.items() for part in ("-c", f"{key}={value}")
    ]
    # generic: the ready-made one waits two minutes for a server that has ended
    container = DockerContainer(POSTGRES_IMAGE, shm_size="512m").with_env("POSTGRES_PASSWORD", password)
    container.with_env("LANG", "C.UTF-8")  # from which its databases take their encoding
    container.with_name(name).with_command(["postgres", *options])
    _publish(container, 5432, host, port)
    return DockerPostgres(container, host, port, password)


def make_rabbitmq(run: str, names: list[str], host: str, ports: Ports) -> DockerRabbit:
    """Describe the RabbitMQ containers; more than one share a network in which they find each other by name."""
    password, cookie = secrets.token_urlsafe(18), secrets.token_hex(16)
    network = None
    if len(names) > 1:
        network = Network()
        network.name = run
        network.create()
    containers, nodes = [], []
    for number, name in enumerate(names):
        port = ports.take()
        container = _rabbit_container(name, f"rabbit{number}", password=password, cookie=cookie)
        if network is not None:
            container.with_network(network).with_network_aliases(f"rabbit{number}")
        _publish(container, 5672, host, port)
        containers.append(container)
        nodes.append(f"amqp://{USER}:{password}@{host}:{port}/")
    return DockerRabbit(containers, names, nodes)


async def start_rabbitmq(rabbitmq: DockerRabbit) -> None:
    """Start all nodes at once, then join them one by one."""
    count = len(rabbitmq.containers)
    await together(*(rabbitmq.start(node) for node in range(count)))
    for node in range(1, count):
        await rabbitmq.join(node)


def _rabbit_container(name: str, hostname: str, *, password: str, cookie: str) -> DockerContainer:
    # generic: the ready-made one would bring a second AMQP client along for its readiness probe
    container = DockerContainer(RABBITMQ_IMAGE, hostname=hostname).with_name(name)
    return container.with_envs(
        RABBITMQ_DEFAULT_USER=USER,
        RABBITMQ_DEFAULT_PASS=password,
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=ERLANG_ARGS.format(cookie=cookie),
        RABBITMQ_CTL_ERL_ARGS=f"-setcookie {cookie}",
    )


def _publish(container: DockerContainer, inside: int, host: str, port: int) -> None:
    published: Any = (LOOPBACK, port) if host == LOOPBACK else port
    container.ports[str(inside)] = published


def _check_running(container: DockerContainer) -> None:
    wrapped = container.get_wrapped_container()
    wrapped.reload()
    if wrapped.status == "exited":
        log = wrapped.logs(tail=20).decode(errors="replace")
        raise StartError(f"the container of {container.image} ended while starting:\n{log}")


async def _kill(container: DockerContainer) -> None:
    wrapped = container.get_wrapped_container()
    await asyncio.to_thread(wrapped.reload)
    if wrapped.status != "exited":
        await asyncio.to_thread(wrapped.kill)
        await asyncio.to_thread(wrapped.wait)
