"""Vhosts and `rabbitmqctl`, the same for every way a broker was found."""

import asyncio
import re
import subprocess
from collections.abc import Sequence

from yarl import URL

from postroad_stack.errors import NotOursError, StartError

CTL_LIMIT = 120.0
"""Seconds; one call takes about one."""

SAFE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")

ADD = (
    '[begin ok = rabbit_vhost:add(V, <<"postroad">>), ok = rabbit_auth_backend_internal:set_permissions('
    '{user}, V, <<".*">>, <<".*">>, <<".*">>, <<"postroad">>) end || V <- {names}], ok.'
)
DELETE = '[catch rabbit_vhost:delete(V, <<"postroad">>) || V <- {names}], ok.'

# Definitions of queues are in Mnesia; where their logs are is in tables that are saved now and then.
SYNC = "catch mnesia:sync_log(), [dets:sync(Table) || Table <- dets:all()], ok."


class Ctl:
    """Needs `url` and `ctl_command` of the class that it is mixed into."""

    url: str
    ctl_command: list[str]

    async def ctl(self, *args: str) -> str:
        """Run `rabbitmqctl` against the first node; return its output."""
        return await run_ctl(self.ctl_command, *args)

    async def create_vhost(self, name: str) -> str:
        """Create one vhost; return the first node's AMQP address for it."""
        return (await self.create_vhosts([name]))[0]

    async def create_vhosts(self, names: Sequence[str]) -> list[str]:
        """Create many vhosts in one call: it is the call that takes a second, not the vhost."""
        await self.ctl("eval", ADD.format(user=_binary(URL(self.url).user or "guest"), names=_binaries(names)))
        return [vhost_url(self.url, name) for name in names]

    async def delete_vhost(self, *names: str) -> None:
        """Delete vhosts with their queues; unknown ones are ignored."""
        await self.ctl("eval", DELETE.format(names=_binaries(names)))

    async def sync(self) -> None:
        """Have everything declared so far on disk; see RabbitServer."""
        await self.ctl("eval", SYNC)


async def run_ctl(command: Sequence[str], *args: str) -> str:
    """Run a `rabbitmqctl` command line; StartError with its words if it fails."""
    if not command:
        raise NotOursError("there is no rabbitmqctl for a broker that was given by its address")
    argv = [*command, *args]
    done = await asyncio.to_thread(
        subprocess.run,
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=CTL_LIMIT,
        check=False,
    )
    if done.returncode != 0:
        raise StartError(f"`rabbitmqctl {' '.join(args)}` failed with {done.returncode}:\n{done.stdout[-2000:]}")
    return done.stdout


def vhost_url(url: str, vhost: str) -> str:
    """The same broker's address with another vhost."""
    return str(URL(url).with_path("/" + vhost))


def _binaries(names: Sequence[str]) -> str:
    return "[" + ", ".join(_binary(name) for name in names) + "]"


def _binary(name: str) -> str:
    if not SAFE_NAME.fullmatch(name):
        raise ValueError(f"not a plain name: {name!r}")
    return f'<<"{name}">>'
