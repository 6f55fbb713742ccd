"""A supply of private vhosts: made several at a time, because each call costs a second."""

import secrets
from dataclasses import dataclass, field

from postroad_stack.servers import RabbitServer

BATCH = 8


@dataclass
class VhostSupply:
    """Hands out vhosts that nobody has used, and removes used ones when more are made."""

    rabbitmq: RabbitServer
    _fresh: list[tuple[str, str]] = field(default_factory=list)
    _used: list[str] = field(default_factory=list)

    async def take(self) -> str:
        """Return the AMQP address of a vhost that is empty and ours alone."""
        if not self._fresh:
            await self._make()
        name, url = self._fresh.pop()
        self._used.append(name)
        return url

    async def aclose(self) -> None:
        """Remove all that were made."""
        names = self._used + [name for name, _ in self._fresh]
        if names:
            await self.rabbitmq.delete_vhost(*names)

    async def _make(self) -> None:
        finished, self._used = self._used, []
        if finished:
            await self.rabbitmq.delete_vhost(*finished)
        names = [f"test-{secrets.token_hex(4)}" for _ in range(BATCH)]
        self._fresh = list(zip(names, await self.rabbitmq.create_vhosts(names), strict=True))
