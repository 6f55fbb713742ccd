"""Opens and clicks: stored before they are answered, by way of the broker while the database is away."""

import asyncio
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from postroad_common.amqp.broker import Broker
from postroad_common.amqp.errors import PublishError, Retry
from postroad_common.contracts import TrackingHit, TrackingHitsV1
from postroad_common.ids import pack_ref
from postroad_tracker import metrics
from postroad_tracker.errors import StoreUnavailableError
from postroad_tracker.events import EventType, NormalisedEvent
from postroad_tracker.ingest import Ingest
from postroad_tracker.submission import Submission

_log = structlog.get_logger()

_SOURCES: Final = {"open": "pixel", "click": "click"}
_TYPES: Final = {"open": EventType.OPENED, "click": EventType.CLICKED}
_AGAIN: Final = timedelta(seconds=20)


class Hits:
    """Records hits. Never fails its caller: a person is waiting for a picture or a page."""

    def __init__(self, ingest: Ingest, broker: Broker, *, within: timedelta) -> None:
        self._ingest = ingest
        self._broker = broker
        self._within = within

    async def record(self, tenant_id: UUID, hit: TrackingHit) -> None:
        """Returns once the hit is committed, or confirmed by the broker, or counted as lost to both."""
        try:
            await self._ingest.store(_submission(tenant_id, hit, occurred_at=None), within=self._within)
        except StoreUnavailableError:
            await self._defer(tenant_id, hit)

    async def store_deferred(self, hits: TrackingHitsV1) -> None:
        """Store hits that came by way of the broker; raises Retry until the database is back."""
        submissions = [_submission(hits.tenant_id, hit, occurred_at=hit.received_at) for hit in hits.items]
        try:
            await asyncio.gather(*(self._ingest.store(one, within=_AGAIN) for one in submissions))
        except StoreUnavailableError as error:
            raise Retry("the database is away") from error

    async def _defer(self, tenant_id: UUID, hit: TrackingHit) -> None:
        try:
            async with asyncio.timeout(self._within.total_seconds()):
                await self._broker.publish(TrackingHitsV1(tenant_id=tenant_id, items=(hit,)))
        except (PublishError, TimeoutError) as error:
            metrics.HITS_UNRECORDED.inc()
            _log.error(
                "hit not recorded: neither database nor broker took it",
                kind=hit.kind,
                tenant_id=str(tenant_id),
                message_id=str(hit.message_id),
                error=repr(error),
            )
        else:
            metrics.HITS_DEFERRED.inc()


def _submission(tenant_id: UUID, hit: TrackingHit, *, occurred_at: datetime | None) -> Submission:
    event = NormalisedEvent(
        key=f"hit:{hit.event_id}",
        type=_TYPES[hit.kind],
        occurred_at=occurred_at,
        message_ref=pack_ref(tenant_id, hit.message_id),
        url=hit.url,
        ip=hit.ip,
        user_agent=hit.user_agent,
    )
    return Submission(
        tenant_id=tenant_id,
        source=_SOURCES[hit.kind],
        events=(event,),
        event_ids=(hit.event_id,),
        traceparent=hit.traceparent,
    )
