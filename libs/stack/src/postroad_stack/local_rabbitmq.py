"""A private RabbitMQ node, or a cluster of three, from the programs on this machine."""

import secrets
import signal
from dataclasses import dataclass, field
from pathlib import Path

from postroad_stack.answering import amqp_answers, until_answering
from postroad_stack.broker_tree import slim_scripts
from postroad_stack.directories import tail
from postroad_stack.errors import StartError
from postroad_stack.keeper import Keeper, Program
from postroad_stack.local_rabbitmq_files import CTL_PORTS, Node, node_environment, write_cookie, write_node_files
from postroad_stack.ports import LOOPBACK, Ports
from postroad_stack.programs import RabbitPrograms, run_as
from postroad_stack.rabbitmqctl import Ctl, run_ctl
from postroad_stack.servers import together

BOOT_LIMIT = 120.0
"""Seconds a node may take to boot; eight are usual, and thirty under load."""

USER = "postroad"
EPMD = "epmd"


@dataclass
class LocalRabbit(Ctl):
    """See RabbitServer."""

    keeper: Keeper
    programs: RabbitPrograms
    members: list[Node]
    scripts: Path | None
    """RabbitMQ's scripts in a slimmer tree, None for the installed one."""
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        self.nodes = [f"amqp://{USER}:{self.password}@{LOOPBACK}:{node.port}/" for node in self.members]
        self.url = self.nodes[0]
        self.ctl_command = [str(self.members[0].ctl)]

    async def start(self, node: int) -> None:
        """Start one node and wait until it takes connections."""
        member = self.members[node]
        program = Program(
            argv=[str(self.programs.bin / "rabbitmq-server")],
            env=node_environment(member, self.scripts),
            cwd=member.directory,
            log=member.directory / "console.log",
            user=run_as(),
            stop_signal=signal.SIGKILL,  # an orderly end takes a second, for data that is removed with it
        )
        await self.keeper.start(member.name, program)
        await until_answering(lambda: self._up(node), limit=BOOT_LIMIT, accept=bool)

    async def kill(self, node: int = 0) -> None:
        """SIGKILL a node and wait until it is gone."""
        await self.keeper.kill(self.members[node].name)

    async def restart(self, node: int = 0) -> None:
        """Start a node again on the same data and port, and wait until it answers."""
        await self.kill(node)
        await self.start(node)

    async def pause(self, node: int = 0) -> None:
        """SIGSTOP a node: a hung broker, not a dead one."""
        await self.keeper.signal(self.members[node].name, signal.SIGSTOP)

    async def resume(self, node: int = 0) -> None:
        """SIGCONT after `pause`."""
        await self.keeper.signal(self.members[node].name, signal.SIGCONT)

    async def join(self, node: int) -> None:
        """Make a started node a member of the first one's cluster."""
        command = [str(self.members[node].ctl)]
        for step in (["stop_app"], ["reset"], ["join_cluster", self.members[0].nodename], ["start_app"]):
            await run_ctl(command, *step)

    async def _up(self, node: int) -> bool:
        member = self.members[node]
        code = await self.keeper.code(member.name)
        if code is not None:
            raise StartError(f"RabbitMQ ended with {code} while starting:\n{tail(member.directory / 'console.log')}")
        return await amqp_answers(self.nodes[node])


def make_rabbitmq(keeper: Keeper, programs: RabbitPrograms, ports: Ports, *, nodes: int) -> LocalRabbit:
    """Describe a private broker of one node, or of several that will be a cluster, with an epmd of its own."""
    epmd_port, ctl_port = ports.take(), ports.take_block(CTL_PORTS * nodes)
    members = [
        Node(
            name=f"rabbit{number}",
            directory=keeper.root / f"rabbit{number}",
            home=keeper.root / "home",
            port=ports.take(),
            distribution_port=ports.take(),
            epmd_port=epmd_port,
            ctl_port=ctl_port + CTL_PORTS * number,
        )
        for number in range(nodes)
    ]
    scripts = slim_scripts(programs, keeper.root / "broker")
    return LocalRabbit(
        keeper=keeper, programs=programs, members=members, scripts=scripts, password=secrets.token_urlsafe(18)
    )


async def start_rabbitmq(server: LocalRabbit) -> None:
    """Write its files, start all nodes at once, then join them one by one."""
    write_cookie(server.members[0].home, secrets.token_hex(16))
    for node in server.members:
        write_node_files(node, server.programs, user=USER, password=server.password)
    await _start_epmd(server)
    await together(*(server.start(number) for number in range(len(server.members))))
    for number in range(1, len(server.members)):
        await server.join(number)


async def _start_epmd(server: LocalRabbit) -> None:
    """In the foreground and ours: the one a node starts by itself would outlive everything."""
    first = server.members[0]
    program = Program(
        argv=[str(server.programs.epmd), "-port", str(first.epmd_port), "-address", LOOPBACK],
        env={"PATH": "/usr/bin:/bin", "HOME": str(first.home)},
        cwd=first.home,
        log=first.directory / "epmd.log",
        user=run_as(),
        stop_signal=signal.SIGKILL,
    )
    await server.keeper.start(EPMD, program)
