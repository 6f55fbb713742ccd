"""The tracker put together: plain constructors, routes, and the work that goes on beside requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

from aiohttp import web
from asyncpg import Pool

from postroad_common.amqp import Delivery, Poison, declare_topology
from postroad_common.amqp.topology import TRACKER_ERASURES, TRACKER_HITS
from postroad_common.contracts import ContactsErasedV1, TrackingHitsV1
from postroad_common.lifecycle import Service
from postroad_common.outbox import Relay
from postroad_common.sealing import KeyRing
from postroad_tracker import upkeep
from postroad_tracker.clock import DatabaseClock
from postroad_tracker.collector import Bounds
from postroad_tracker.counting import count_messages
from postroad_tracker.erasure import erase
from postroad_tracker.handlers.hits import HitHandlers
from postroad_tracker.handlers.reading import Bodies
from postroad_tracker.handlers.tokens import Tokens
from postroad_tracker.handlers.unsubscribe import UnsubscribeHandlers
from postroad_tracker.handlers.webhooks import WebhookHandlers
from postroad_tracker.hits import Hits
from postroad_tracker.ingest import Ingest
from postroad_tracker.settings import TrackerSettings
from postroad_tracker.sources import Sources
from postroad_tracker.stops import StopDesk
from postroad_tracker.unsubscribe import Unsubscribes
from postroad_tracker.webhooks import Webhooks

_WRITERS: Final = 2
"""Commits in flight at once: while one waits for the disk, the next is filled."""


@asynccontextmanager
async def build(service: Service[TrackerSettings]) -> AsyncIterator[None]:
    """Give a service the tracker's routes, consumer and loops."""
    settings, pool = service.settings, service.pool
    service.decompress_bodies = False  # signatures are over what came, and bombs are ours to bound
    await declare_topology(service.broker)
    clock, desk = DatabaseClock(), StopDesk(pool)
    relay = service.relay("tracking")
    ingest = Ingest(
        pool,
        clock=clock,
        bounds=Bounds(max_jobs=settings.max_waiting, max_weight=settings.max_waiting_bytes),
        committed=relay.wake,
    )
    hits = Hits(ingest, service.broker, within=timedelta(seconds=settings.hit_store_seconds))
    service.app.add_routes(_routes(service, clock, desk, ingest, hits))
    _work(service, desk, relay, ingest)
    service.consume(TRACKER_HITS, partial(_store_deferred, hits), prefetch=200, concurrency=100)
    service.consume(TRACKER_ERASURES, partial(_erase, pool), prefetch=1, concurrency=1)
    yield


def _routes(
    service: Service[TrackerSettings], clock: DatabaseClock, desk: StopDesk, ingest: Ingest, hits: Hits
) -> list[web.RouteDef]:
    settings, pool = service.settings, service.pool
    keyring = KeyRing.parse(settings.secret_keys.get_secret_value())
    patience = timedelta(seconds=settings.store_seconds)
    proxies = settings.trusted_proxies
    bodies = Bodies()
    service.app.on_shutdown.append(bodies.give_up)
    tokens = Tokens(keyring, settings.revoked_tokens)
    sources = Sources(pool, keyring, clock, cache_seconds=settings.source_cache_seconds)
    wait = timedelta(seconds=settings.webhook_wait_seconds)
    webhooks = WebhookHandlers(
        Webhooks(sources, ingest, desk, clock, patience=patience, wait=wait),
        bodies,
        max_bytes=settings.webhook_max_bytes,
    )
    opens = HitHandlers(tokens, hits, clock, proxies=proxies)
    wait = timedelta(seconds=settings.unsubscribe_wait_seconds)
    unsubscribe = UnsubscribeHandlers(
        tokens, Unsubscribes(pool, ingest, desk, patience=patience, wait=wait), bodies, proxies=proxies
    )
    return [
        web.post("/webhooks/{esp}/{source_ref}", webhooks.post),
        web.get("/o/{token}.gif", opens.open),
        web.get("/o/{token}", opens.open),
        web.get("/c/{token}", opens.click),
        web.get("/u/{token}", unsubscribe.page),
        web.post("/u/{token}", unsubscribe.act),
    ]


def _work(service: Service[TrackerSettings], desk: StopDesk, relay: Relay, ingest: Ingest) -> None:
    settings, pool = service.settings, service.pool
    match = partial(upkeep.match_events, pool, desk, committed=relay.wake)
    match_young, match_old = partial(match, horizon=upkeep.YOUNG), partial(match, horizon=settings.match_horizon)
    age = timedelta(seconds=settings.open_stop_seconds)
    left_open = partial(upkeep.acknowledge_left_open, pool, desk, older_than=age)
    service.repeat(partial(upkeep.make_partitions, pool), upkeep.PARTITIONS_PERIOD, "make partitions")
    service.repeat(match_young, timedelta(seconds=settings.match_seconds), "match young events")
    service.repeat(match_old, timedelta(seconds=settings.match_again_seconds), "match old events")
    service.repeat(left_open, age, "acknowledge stops left open")
    service.repeat(partial(count_messages, pool), timedelta(seconds=settings.count_seconds), "count messages")
    for writer in range(_WRITERS):
        service.spawn(ingest.run, f"write {writer}")


async def _store_deferred(hits: Hits, delivery: Delivery) -> None:
    match delivery.message:
        case TrackingHitsV1() as message:
            await hits.store_deferred(message)
        case other:
            raise Poison(f"a {other.type} does not belong here")


async def _erase(pool: Pool, delivery: Delivery) -> None:
    match delivery.message:
        case ContactsErasedV1() as message:
            await erase(pool, message)
        case other:
            raise Poison(f"a {other.type} does not belong here")
