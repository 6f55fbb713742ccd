"""Telling the scheduler: outcomes that come within a moment of each other go out as one message per tenant."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from postroad_common.amqp import Broker, Retry
from postroad_common.contracts import StepSettled, StepsSettledV1
from postroad_sender.items import Due, Ending, Result, Settled, TryLater
from postroad_sender.metrics import OUTCOMES

ITEMS_PER_MESSAGE = 200
RETRY_AFTER = timedelta(seconds=1)


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

    def add(self, tenant_id: UUID, settled: StepSettled) -> asyncio.Future[None]:
        """Publish an outcome with its neighbours; the future, theirs too, is done when that is confirmed."""
        parcel = self._open.get(tenant_id)
        if parcel is None:
            parcel = self._open[tenant_id] = _Parcel(asyncio.get_running_loop().create_future())
            task = asyncio.create_task(self._close_soon(tenant_id, parcel))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        parcel.items.append(settled)
        if len(parcel.items) >= ITEMS_PER_MESSAGE:
            del self._open[tenant_id]
        return parcel.confirmed

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


class Telling:
    """Tells what became of each item of a delivery as it ends, and knows when all have been told.

    Callbacks rather than a task for each item: there are thousands a second.
    """

    def __init__(self, settlements: Settlements, items: int) -> None:
        self._settlements = settlements
        self._left = items
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._parcels: set[asyncio.Future[None]] = set()
        self._later: str | None = None
        self._fault: BaseException | None = None

    def follow(self, due: Due, ending: Ending) -> None:
        """Tell of this item when it ends."""
        ending.add_done_callback(lambda _: self._tell(due, ending))

    async def done(self) -> None:
        """Wait until all have ended and been told. Raises a fault, or else Retry when some take the ladder."""
        await self._ended
        confirms = await asyncio.gather(*self._parcels, return_exceptions=True)
        self._fault = self._fault or next((error for error in confirms if error is not None), None)
        if self._fault is not None:
            raise self._fault
        if self._later is not None:
            raise Retry(self._later, RETRY_AFTER)

    def _tell(self, due: Due, ending: Ending) -> None:
        fault = ending.exception()
        if fault is not None:
            self._fault = fault
        else:
            self._tell_result(due, ending.result())
        self._left -= 1
        if self._left == 0 and not self._ended.done():
            self._ended.set_result(None)

    def _tell_result(self, due: Due, result: Result) -> None:
        match result:
            case Settled():
                OUTCOMES[result.outcome].inc()
                settled = result.to_contract(due, due.item.traceparent)
                self._parcels.add(self._settlements.add(due.tenant_id, settled))
            case TryLater(why):
                self._later = why
