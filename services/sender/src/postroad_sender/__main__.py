"""The sender process: settings in, consumers and loops out."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import NoReturn

from postroad_common.amqp.topology import SENDER_DUE, SENDER_ERASURES, SENDER_EVIDENCE
from postroad_common.hold import watch_hold
from postroad_common.lifecycle import Service, run
from postroad_common.sealing import KeyRing
from postroad_sender.consumers.due import DueConsumer
from postroad_sender.consumers.erasures import ErasureConsumer
from postroad_sender.consumers.evidence import EvidenceConsumer
from postroad_sender.incarnation import Incarnation
from postroad_sender.lane import Lanes, Tools
from postroad_sender.ledger import Ledger
from postroad_sender.reading import Reader
from postroad_sender.recovery import recover
from postroad_sender.rendering import Stamp
from postroad_sender.resting import Rests
from postroad_sender.sending import Sending
from postroad_sender.settings import SenderSettings
from postroad_sender.settlements import Settlements
from postroad_sender.smtp.connection import Timeouts
from postroad_sender.smtp.dial import Dialing
from postroad_sender.smtp.pool import Wear
from postroad_sender.sources import forget_old_sources

EVIDENCE_IN_HAND = 4
SWEEP_EVERY = timedelta(seconds=1)
FORGET_EVERY = timedelta(minutes=1)


@asynccontextmanager
async def build(service: Service[SenderSettings]) -> AsyncIterator[None]:
    """Wire the sender; at the end, when all in hand is settled, end the incarnation in order."""
    watch_hold(service)
    settings = service.settings
    keyring = KeyRing.parse(settings.secret_keys.get_secret_value())
    incarnation = Incarnation(
        service.pool,
        every=timedelta(seconds=settings.heartbeat_seconds),
        lives=timedelta(seconds=settings.heartbeat_lives_seconds),
    )
    ledger = Ledger(
        service.pool,
        incarnation,
        linger=settings.outcome_linger_seconds,
        keeps_sources=settings.keep_sources_days > 0,
    )
    lanes = Lanes(tools_of(service, ledger, keyring))
    sending = Sending(
        service.pool,
        ledger,
        Reader(keyring, keep_steps=settings.kept_steps),
        lanes,
        Settlements(service.broker, within=settings.settled_within_seconds),
    )

    async def drain_lanes() -> None:
        await service.stopping.wait()
        lanes.drain()

    async def recover_orphans() -> None:
        await recover(service.pool, service.broker)

    service.spawn(incarnation.run, "heartbeat")
    service.spawn(ledger.run, "ledger")
    service.spawn(sending.run, "looks")
    service.spawn(drain_lanes, "drain lanes")
    service.repeat(lanes.sweep, SWEEP_EVERY, "sweep lanes")
    service.repeat(recover_orphans, timedelta(seconds=settings.recovery_seconds), "recovery")
    keep = timedelta(days=settings.keep_sources_days)
    service.repeat(partial(forget_old_sources, service.pool, keep=keep), FORGET_EVERY, "forget old sources")
    due = DueConsumer(sending, lanes.waited, prefetch=settings.prefetch)
    service.consume(SENDER_DUE, due, prefetch=settings.prefetch, concurrency=settings.prefetch)
    service.consume(
        SENDER_EVIDENCE, EvidenceConsumer(service.pool), prefetch=EVIDENCE_IN_HAND, concurrency=EVIDENCE_IN_HAND
    )
    service.consume(SENDER_ERASURES, ErasureConsumer(service.pool), prefetch=1, concurrency=1)
    yield
    if lanes.transmitting == 0:
        await lanes.close()
        await incarnation.stop()


def tools_of(service: Service[SenderSettings], ledger: Ledger, keyring: KeyRing) -> Tools:
    """What lanes work with, from the settings."""
    settings = service.settings
    return Tools(
        pool=service.pool,
        ledger=ledger,
        stamp=Stamp(keyring, settings.tracking_url),
        rests=rests_of(settings),
        dialing=dialing_of(settings),
        wear=Wear(settings.smtp_messages_per_connection, settings.smtp_idle_seconds),
        wait=settings.lane_wait_seconds,
    )


def dialing_of(settings: SenderSettings) -> Dialing:
    """How this process dials."""
    tls = ssl.create_default_context()
    if settings.smtp_ca_file is not None:
        tls.load_verify_locations(settings.smtp_ca_file)
    return Dialing(
        ehlo_name=settings.ehlo_name,
        connect_timeout=settings.smtp_connect_seconds,
        timeouts=Timeouts(settings.smtp_command_seconds, settings.smtp_message_seconds),
        tls=tls,
        allow_private=settings.allow_private_smtp,
    )


def rests_of(settings: SenderSettings) -> Rests:
    """How long senders rest."""
    return Rests(
        outage=timedelta(seconds=settings.pause_outage_seconds),
        outage_longest=timedelta(seconds=settings.pause_outage_longest_seconds),
        throttled=timedelta(seconds=settings.pause_throttled_seconds),
        credentials=timedelta(seconds=settings.pause_credentials_seconds),
        policy=timedelta(seconds=settings.pause_policy_seconds),
    )


def main() -> NoReturn:
    """Run until told to end."""
    run("sender", SenderSettings, build)


if __name__ == "__main__":
    main()
