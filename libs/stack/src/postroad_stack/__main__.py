"""`postroad-stack`: servers for the length of a command, or until Ctrl-C."""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from postroad_stack.errors import StackError
from postroad_stack.local import ensure_programs
from postroad_stack.servers import say
from postroad_stack.stack import start_stack

LAUNCH = str(Path(__file__).with_name("launch.py"))


def main() -> None:
    """Entry point."""
    arguments = _parser().parse_args()
    try:
        sys.exit(arguments.work(arguments))
    except StackError as error:
        sys.exit(f"postroad-stack: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="postroad-stack", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="start the servers, run a command with their addresses, stop them")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND ARGUMENT...")
    run.set_defaults(work=lambda arguments: asyncio.run(_run(arguments.command)))
    up = commands.add_parser("up", help="start the servers and hold them until Ctrl-C")
    up.add_argument("--keep", action="store_true", help="leave data and logs behind")
    up.set_defaults(work=lambda arguments: asyncio.run(_up(keep=arguments.keep)))
    install = commands.add_parser("install", help="install what is missing with apt, start nothing")
    install.set_defaults(work=lambda _: asyncio.run(_install()))
    ctl = commands.add_parser("container-ctl", help="rabbitmqctl in a container of ours")
    ctl.add_argument("container")
    ctl.add_argument("arguments", nargs=argparse.REMAINDER)
    ctl.set_defaults(work=lambda arguments: _container_ctl(arguments.container, arguments.arguments))
    remove = commands.add_parser("remove-containers", help="remove a network and containers of ours")
    remove.add_argument("network")
    remove.add_argument("containers", nargs="+")
    remove.set_defaults(work=lambda arguments: _remove(arguments.network, arguments.containers))
    return parser


async def _run(command: Sequence[str]) -> int:
    command = command[1:] if command[:1] == ["--"] else command
    if not command:
        raise StackError("run: no command given")
    stopped = _until_signal(signal.SIGTERM)
    async with start_stack() as stack:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command gets it from the terminal and decides
        tie = [str(os.getpid()), str(int(signal.SIGTERM)), "-"]
        child = subprocess.Popen(  # noqa: S603, ASYNC220 -- the command of whoever calls us
            [sys.executable, "-I", "-S", LAUNCH, *tie, *command],
            env={**os.environ, **stack.environment()},
            restore_signals=True,
        )
        ended = asyncio.create_task(asyncio.to_thread(child.wait))
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            child.send_signal(signal.SIGTERM)
        code = await ended
        stopped.cancel()
    return code if code >= 0 else 128 - code


async def _up(*, keep: bool) -> int:
    stopped = _until_signal(signal.SIGINT, signal.SIGTERM)
    async with start_stack(keep=keep) as stack:
        for name, value in stack.environment().items():
            sys.stdout.write(f"export {name}='{value}'\n")
        sys.stdout.flush()
        say("Ctrl-C stops the servers")
        await stopped
    return 0


async def _install() -> int:
    postgres, rabbitmq = await ensure_programs(say)
    say(f"PostgreSQL {postgres.major} in {postgres.bin}, RabbitMQ in {rabbitmq.bin}")
    return 0


def _until_signal(*numbers: signal.Signals) -> asyncio.Task[bool]:
    received = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in numbers:
        loop.add_signal_handler(number, received.set)
    return asyncio.create_task(received.wait())


def _container_ctl(container: str, arguments: Sequence[str]) -> int:
    from postroad_stack.engine import container_exec  # noqa: PLC0415 -- half a second, for those who need it

    code, output = container_exec(container, ["rabbitmqctl", *arguments])
    sys.stdout.write(output)
    return code


def _remove(network: str, containers: list[str]) -> int:
    from postroad_stack.engine import remove_containers, remove_network  # noqa: PLC0415 -- likewise

    remove_containers(containers)
    remove_network(network)
    return 0


if __name__ == "__main__":
    main()
