"""The broker as a service sees it: publish with confirms, channels for consumers, and a connection that heals.

Publishing and consuming have a connection each: under a memory alarm RabbitMQ stops reading from connections that
publish, and the acknowledgements that would end the alarm must still get through.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final, Self, cast

import structlog
from aiormq import Channel, Connection, abc
from aiormq.exceptions import ChannelPreconditionFailed, DeliveryError
from aiormq.exceptions import PublishError as ReturnedError

from postroad_common.amqp.errors import CONNECTION_ERRORS, BrokerError, PublishError, TopologyError, UnroutableError
from postroad_common.amqp.link import Link, ended_as_error
from postroad_common.amqp.protocol import close_channel, declare_on
from postroad_common.amqp.topology import QUEUES, Queue
from postroad_common.amqp.wire import CORRELATION_ID, Parcel
from postroad_common.contracts import Message
from postroad_common.metrics import PUBLISHED
from postroad_common.telemetry import current_traceparent

PUBLISH_SECONDS: Final = 5.0
DECLARE_SECONDS: Final = 30.0
CHANNEL_SECONDS: Final = 5.0
IN_FLIGHT: Final = 128
"""Publishes whose confirm is awaited at once; more wait their turn."""

_log = structlog.get_logger()


class Broker:
    """Connections to RabbitMQ. Make it with connect()."""

    def __init__(self, url: str, *, name: str, publish_seconds: float = PUBLISH_SECONDS) -> None:
        self._publish_seconds = publish_seconds
        self._publishing = Link(url, name=f"{name} publishing", prepare=self._prepare_publishing)
        self._consuming = Link(url, name=f"{name} consuming", prepare=_nothing)
        self._channel: Channel | None = None
        self._queues: dict[str, Queue] = {}
        self._in_flight = asyncio.Semaphore(IN_FLIGHT)
        self._declared = 0
        self._mending = asyncio.Lock()
        self._last_confirm = 0.0

    @classmethod
    async def connect(
        cls, url: str, *, name: str, publish_seconds: float = PUBLISH_SECONDS, wait_seconds: float = 10.0
    ) -> Self:
        """Connect; raises BrokerUnavailableError when that takes longer than wait_seconds."""
        broker = cls(url, name=name, publish_seconds=publish_seconds)
        broker._publishing.start()
        broker._consuming.start()
        try:
            await broker._publishing.first_connection(wait_seconds)
            await broker._consuming.first_connection(wait_seconds)
        except BaseException:
            await broker.close()
            raise
        return broker

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def connected(self) -> bool:
        """Whether both connections are there now."""
        return self._publishing.connected and self._consuming.connected

    async def close(self) -> None:
        """Close both connections."""
        await asyncio.gather(self._consuming.close(), self._publishing.close())

    async def publish(self, message: Message | Parcel, *, parent: str | None = None) -> None:
        """Publish and wait for the confirm. Raises PublishError within the time-out, whatever the broker does.

        The time counts from the message's turn: IN_FLIGHT of them are on their way at once.
        """
        parcel = _parcel(message, parent)
        async with self._in_flight:
            await self._publish_in_time(parcel)

    async def _publish_in_time(self, parcel: Parcel) -> None:
        try:
            async with asyncio.timeout(self._publish_seconds):
                await self._publish(parcel)
        except PublishError:
            PUBLISHED.labels("refused").inc()
            raise
        except TimeoutError as error:
            self._suspect()
            PUBLISHED.labels("timed_out").inc()
            raise PublishError(f"no confirm of {parcel.type} in {self._publish_seconds:g} s") from error
        PUBLISHED.labels("confirmed").inc()

    async def publish_each(self, messages: Iterable[Message | Parcel]) -> list[PublishError | None]:
        """Publish all with their confirms in flight together; for each, in order, its error or None."""
        return await asyncio.gather(*(self._outcome(message) for message in messages))

    async def publish_all(self, messages: Iterable[Message | Parcel]) -> None:
        """Publish all with their confirms in flight together; raises the first PublishError when all have ended."""
        for error in await self.publish_each(messages):
            if error is not None:
                raise error

    async def declare(self, queues: Iterable[Queue]) -> None:
        """Declare exchange, queues and bindings, now and on every later connection. Raises BrokerError."""
        self._queues |= {queue.name: queue for queue in queues}
        try:
            async with asyncio.timeout(DECLARE_SECONDS):
                await self._declare(await self._publishing.connection())
        except CONNECTION_ERRORS as error:
            raise BrokerError(f"cannot declare the topology: {error!r}") from error

    @asynccontextmanager
    async def channel(self, *, prefetch: int) -> AsyncIterator[abc.AbstractChannel]:
        """A channel to consume on, closed at the end. Raises CONNECTION_ERRORS, TimeoutError when it takes long."""
        async with asyncio.timeout(CHANNEL_SECONDS):
            connection = await self._consuming.connection()
            channel = await connection.channel(publisher_confirms=False)
            await channel.basic_qos(prefetch_count=prefetch)
        try:
            yield channel
        finally:
            await close_channel(channel)

    def give_up_consuming(self, reason: str) -> None:
        """Nothing is heard on the consuming connection: make another."""
        self._consuming.recycle(reason)

    async def _outcome(self, message: Message | Parcel) -> PublishError | None:
        try:
            await self.publish(message)
        except PublishError as error:
            return error
        return None

    async def _publish(self, parcel: Parcel) -> None:
        connection = await self._publishing.connection()
        await connection.ready()  # not while the broker has blocked us: what is written then piles up here
        channel, declared = self._channel, self._declared
        if channel is None:
            raise PublishError("the connection ended")
        try:
            with ended_as_error():
                await channel.basic_publish(
                    parcel.body,
                    exchange=parcel.exchange,
                    routing_key=parcel.destination,
                    properties=parcel.properties(),
                    mandatory=True,
                    wait=False,
                )
        except ReturnedError as error:
            await self._mend_topology(declared)
            raise UnroutableError(f"no queue takes {parcel.destination}") from error
        except DeliveryError as error:
            raise PublishError(f"the broker refused {parcel.type}: {error}") from error
        except CONNECTION_ERRORS as error:
            self._drop(channel)
            raise PublishError(f"the connection ended under {parcel.type}: {error!r}") from error
        self._last_confirm = asyncio.get_running_loop().time()

    def _suspect(self) -> None:
        """A publish timed out. If nothing was confirmed meanwhile, the connection is worth nothing: make another."""
        if asyncio.get_running_loop().time() - self._last_confirm >= self._publish_seconds:
            self._publishing.recycle("no confirm in time")

    async def _mend_topology(self, declared: int) -> None:
        """A queue or a binding is gone: declare all again, once for all publishes that found out together."""
        try:
            async with self._mending:
                if self._declared == declared:
                    await self._declare(await self._publishing.connection())
        except (*CONNECTION_ERRORS, BrokerError) as error:
            _log.warning("cannot declare the topology", error=repr(error))

    async def _prepare_publishing(self, connection: Connection) -> None:
        await self._declare(connection)
        channel = cast("Channel", await connection.channel(publisher_confirms=True, on_return_raises=True))
        channel.closing.add_done_callback(lambda _: self._drop(channel))
        self._channel = channel

    def _drop(self, channel: Channel) -> None:
        """The channel is dead: so is the connection, unless another channel has taken its place."""
        if self._channel is channel:
            self._channel = None
            self._publishing.recycle("the publishing channel closed")

    async def _declare(self, connection: Connection) -> None:
        if not self._queues:
            return
        channel = await connection.channel(publisher_confirms=False)
        try:
            with ended_as_error():
                await declare_on(channel, list(self._queues.values()))
        except ChannelPreconditionFailed as error:
            raise TopologyError(f"declared otherwise than this build does: {error}") from error
        finally:
            await close_channel(channel)
        self._declared += 1


async def declare_topology(broker: Broker) -> None:
    """Declare the whole topology; each service calls it when it starts, all may at once."""
    await broker.declare(QUEUES.values())


def _parcel(message: Message | Parcel, parent: str | None) -> Parcel:
    if isinstance(message, Parcel):
        return message
    return Parcel.of(message, parent=parent or current_traceparent(), correlation_id=CORRELATION_ID.get())


async def _nothing(_connection: Connection) -> None:
    """The consuming connection needs no preparation."""
