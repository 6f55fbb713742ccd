"""A supply of private vhosts: made several at a time, because a call may cost a second."""

import secrets
from dataclasses import dataclass, field

from postroad_stack.servers import RabbitServer


@dataclass
class VhostSupply:
    """Hands out vhosts that nobody has used."""

    rabbitmq: RabbitServer
    batch: int = 8
    _fresh: list[tuple[str, str]] = field(default_factory=list)
    _taken: dict[str, str] = field(default_factory=dict)

    async def take(self) -> str:
        """Return the AMQP address of a vhost that is empty and the caller's alone until it gives it back."""
        if not self._fresh:
            await self._make()
        name, url = self._fresh.pop()
        self._taken[url] = name
        return url

    async def give_back(self, url: str) -> None:
        """Remove a vhost that nobody needs any more: a topology that lies idle takes half a percent of a processor."""
        await self.rabbitmq.delete_vhost(self._taken.pop(url))

    async def aclose(self) -> None:
        """Remove all that were made."""
        names = [*self._taken.values(), *(name for name, _ in self._fresh)]
        if names:
            await self.rabbitmq.delete_vhost(*names)

    async def _make(self) -> None:
        names = [f"test-{secrets.token_hex(4)}" for _ in range(self.batch)]
        self._fresh = list(zip(names, await self.rabbitmq.create_vhosts(names), strict=True))
