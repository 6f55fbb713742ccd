"""Servers that were given by their addresses in the environment."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from yarl import URL

from postroad_stack.answering import amqp_answers, postgres_answers
from postroad_stack.errors import NotOursError, WayUnavailableError
from postroad_stack.rabbitmqctl import Ctl
from postroad_stack.servers import STARTED_BY

POSTGRES_DSN = "POSTROAD_STACK_POSTGRES_DSN"
AMQP_URL = "POSTROAD_STACK_AMQP_URL"
RABBITMQCTL = "POSTROAD_STACK_RABBITMQCTL"
"""Optional command line that runs `rabbitmqctl` against the given broker; vhosts are made with it."""


class _Foreign:
    """A server that is only used."""

    async def kill(self, node: int = 0) -> None:
        """Refuse."""
        raise NotOursError(f"{self._what()} was given by its address; it is not ours to kill (node {node})")

    async def restart(self, node: int = 0) -> None:
        """Refuse."""
        raise NotOursError(f"{self._what()} was given by its address; it is not ours to restart (node {node})")

    async def pause(self, node: int = 0) -> None:
        """Refuse."""
        raise NotOursError(f"{self._what()} was given by its address; it is not ours to stop (node {node})")

    async def resume(self, node: int = 0) -> None:
        """Refuse."""
        raise NotOursError(f"{self._what()} was given by its address; it is not ours to resume (node {node})")

    def _what(self) -> str:
        return type(self).__name__.removeprefix("Given")


@dataclass
class GivenPostgres(_Foreign):
    """See PostgresServer."""

    dsn: str

    @property
    def host(self) -> str:
        """Host in the given address."""
        return URL(self.dsn).host or "127.0.0.1"

    @property
    def port(self) -> int:
        """Port in the given address."""
        return URL(self.dsn).explicit_port or 5432


@dataclass
class GivenRabbit(_Foreign, Ctl):
    """See RabbitServer."""

    url: str
    ctl_command: list[str]

    @property
    def nodes(self) -> list[str]:
        """The one address that we know."""
        return [self.url]


def is_given(environment: Mapping[str, str], asked: str) -> bool:
    """True if addresses are set and do for the way that is asked for."""
    if not (environment.get(POSTGRES_DSN) or environment.get(AMQP_URL)):
        return asked == "env"
    return asked in {"auto", "env", environment.get(STARTED_BY)}


async def connect_given(environment: Mapping[str, str]) -> tuple[GivenPostgres, GivenRabbit]:
    """Return the given servers; WayUnavailableError if one address is missing or does not answer."""
    dsn, url = environment.get(POSTGRES_DSN), environment.get(AMQP_URL)
    if not dsn or not url:
        raise WayUnavailableError(f"set both {POSTGRES_DSN} and {AMQP_URL}, or neither")
    if not await postgres_answers(dsn):
        raise WayUnavailableError(f"{POSTGRES_DSN} is set, but nothing answers at {URL(dsn).host}:{URL(dsn).port}")
    if not await amqp_answers(url):
        raise WayUnavailableError(f"{AMQP_URL} is set, but nothing answers at {URL(url).host}:{URL(url).port}")
    return GivenPostgres(dsn), GivenRabbit(url, shlex.split(environment.get(RABBITMQCTL, "")))
