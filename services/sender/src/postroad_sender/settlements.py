"""Telling the scheduler: outcomes that come within a moment of each other go out as one message per tenant."""

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

from postroad_common.amqp import Broker
from postroad_common.contracts import StepSettled, StepsSettledV1

ITEMS_PER_MESSAGE = 200


@dataclass(slots=True)
class _Parcel:
    """What goes out together: its items, and a future for when the broker has confirmed them."""

    confirmed: asyncio.Future[None]
    items: list[StepSettled] = field(default_factory=list)


class Settlements:
    """Collects outcomes for at most `within` seconds and publishes them."""

    def __init__(self, broker: Broker, *, within: float) -> None:
        self._broker = broker
        self._within = within
        self._open: dict[UUID, _Parcel] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def publish(self, tenant_id: UUID, settled: StepSettled) -> None:
        """Publish an outcome with its neighbours; returns when it is confirmed. Raises PublishError."""
        parcel = self._open.get(tenant_id)
        if parcel is None:
            parcel = self._open[tenant_id] = _Parcel(asyncio.get_running_loop().create_future())
            task = asyncio.create_task(self._close_soon(tenant_id, parcel))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        parcel.items.append(settled)
        if len(parcel.items) >= ITEMS_PER_MESSAGE:
            del self._open[tenant_id]
        await asyncio.shield(parcel.confirmed)

    async def _close_soon(self, tenant_id: UUID, parcel: _Parcel) -> None:
        await asyncio.sleep(self._within)
        if self._open.get(tenant_id) is parcel:
            del self._open[tenant_id]
        message = StepsSettledV1.model_construct(tenant_id=tenant_id, items=tuple(parcel.items))
        try:
            await self._broker.publish(message)
        except Exception as error:  # noqa: BLE001 - whoever waits for the confirm gets it
            parcel.confirmed.set_exception(error)
            parcel.confirmed.exception()  # whoever waits raises it; nobody may be left to wait
        else:
            parcel.confirmed.set_result(None)
