"""A tracker that dies: what was answered is in the table, what was not is made good by the next delivery."""

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from postroad_common.contracts.tokens import TokenKind
from postroad_common.sealing import KeyRing
from postroad_stack.databases import Database
from postroad_stack.eventually import eventually
from tests.http import http_client
from tests.size import FULL

from .conftest import KEYS, Trackers
from .town import Mail, Tenant, Town, Tracker


@dataclass
class Place:
    """A town whose tracker may die and be started again, at the same address."""

    town: Town
    trackers: Trackers
    database: Database
    vhost: str
    port: int
    running: list[Tracker] = field(default_factory=list)

    def start(self, **settings: str) -> Tracker:
        env = {"POSTROAD_HTTP_PORT": str(self.port), "POSTROAD_TRACKER_OPEN_STOP_SECONDS": "600"} | settings
        self.running.append(self.trackers.start(self.database.dsn("postroad_tracker"), self.vhost, env))
        return self.running[-1]


@pytest_asyncio.fixture
async def place(trackers: Trackers, database: Database, vhost: str) -> AsyncIterator[Place]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    admin = await asyncpg.connect(database.admin_dsn)
    async with http_client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
        yield Place(Town(admin, http, KeyRing.parse(KEYS)), trackers, database, vhost, port)
    await admin.close()


def complaint(tenant: Tenant, mail: Mail) -> Any:
    return tenant.sendgrid.request([tenant.sendgrid.event("spamreport", email=mail.email, ref=mail.ref)])


async def test_killed_after_the_commit_the_next_delivery_is_answered_with_the_stop(place: Place) -> None:
    town = place.town
    mill = await town.tenant()
    mail = await town.mail(mill, "transmitting")
    request = complaint(mill, mail)
    dying = place.start(POSTROAD_FAULT_KILL="tracker.committed:1")
    with pytest.raises(httpx.TransportError):
        await town.post(mill.sendgrid_path, request)
    assert await dying.process.wait(5) == -9
    (stop,) = await town.stops(mill.tenant_id)
    assert stop["acknowledged_at"] is None

    place.start()
    answer = await town.post(mill.sendgrid_path, request)
    assert (answer.json()["accepted"], answer.json()["duplicates"]) == (0, 1)
    assert answer.json()["on_the_wire"] == [str(mail.message_id)]
    (stop,) = await town.stops(mill.tenant_id)
    assert stop["acknowledged_at"] is not None
    assert len(await town.events(mill.tenant_id)) == 1


@pytest.mark.prove
async def test_killed_after_the_acknowledgement_the_next_delivery_gets_the_same_answer(place: Place) -> None:
    town = place.town
    mill = await town.tenant()
    mail = await town.mail(mill, "transmitting")
    token = town.token(TokenKind.UNSUBSCRIBE, mail)
    dying = place.start(POSTROAD_FAULT_KILL="tracker.acknowledged:1")
    with pytest.raises(httpx.TransportError):
        await town.http.post(f"/u/{token}", data={"List-Unsubscribe": "One-Click"})
    assert await dying.process.wait(5) == -9
    (before,) = await town.stops(mill.tenant_id)
    await town.settle(mail)

    place.start()
    answer = await town.http.post(f"/u/{token}", data={"List-Unsubscribe": "One-Click"})
    assert answer.json() == {"unsubscribed": True, "on_the_wire": [str(mail.message_id)]}
    assert await town.stops(mill.tenant_id) == [before]


async def test_stop_that_nobody_asks_for_again_is_acknowledged_by_another_tracker(place: Place) -> None:
    town = place.town
    mill = await town.tenant()
    mail = await town.mail(mill, "transmitting")
    place.start(POSTROAD_FAULT_KILL="tracker.committed:1")
    with pytest.raises(httpx.TransportError):
        await town.post(mill.sendgrid_path, complaint(mill, mail))
    place.start(POSTROAD_TRACKER_OPEN_STOP_SECONDS="0.3")

    async def acknowledged() -> bool:
        (stop,) = await town.stops(mill.tenant_id)
        return stop["acknowledged_at"] is not None and stop["on_the_wire"] == [mail.message_id]

    assert await eventually(acknowledged)


@dataclass
class Load:
    """Posts distinct events until told to stop, each once, and notes which were answered with 2xx."""

    place: Place
    tenant: Tenant
    mails: list[Mail]
    attempted: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    others: list[int] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, workers: int) -> None:
        async with asyncio.TaskGroup() as group:
            for worker in range(workers):
                group.create_task(self._post(worker))

    async def _post(self, worker: int) -> None:
        rng = random.Random(worker)
        number = 0
        while not self.over.is_set():
            mail = rng.choice(self.mails)
            ids = [f"{worker}-{number}-{n}" for n in range(rng.randrange(1, 5))]
            number += 1
            kind = rng.choice(["open", "click", "delivered", "spamreport"])
            event = self.tenant.sendgrid.event
            events = [event(kind, email=mail.email, ref=mail.ref, sg_event_id=id_) for id_ in ids]
            self.attempted |= set(ids)
            try:
                answer = await self.place.town.post(self.tenant.sendgrid_path, self.tenant.sendgrid.request(events))
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code == 200:
                self.acknowledged |= set(ids)
            else:
                self.others.append(answer.status_code)


async def stored(town: Town, tenant: Tenant) -> set[str]:
    rows = await town.admin.fetch(
        "SELECT k.key FROM tracking.event_keys k JOIN tracking.events e USING (tenant_id, event_id)"
        " WHERE k.tenant_id = $1",
        tenant.tenant_id,
    )
    assert len(rows) == await town.count("tracking.events", tenant.tenant_id)
    return {row["key"].removeprefix("sendgrid:") for row in rows}


async def test_every_2xx_is_in_the_table_once_whenever_the_tracker_is_killed(place: Place) -> None:
    town = place.town
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    mill = await town.tenant()
    load = Load(place, mill, [await town.mail(mill) for _ in range(20)])
    tracker = place.start()
    running = asyncio.create_task(load.run(16))
    kills = 20 if FULL else 2
    for _ in range(kills):
        before = len(load.acknowledged)
        await eventually(lambda: len(load.acknowledged) > before + 50, timeout=30)  # noqa: B023 - called at once
        await asyncio.sleep(rng.random() * 0.2)
        await tracker.process.kill()
        tracker = await asyncio.to_thread(place.start)
    before = len(load.acknowledged)
    await eventually(lambda: len(load.acknowledged) > before + 50, timeout=30)
    load.over.set()
    await running
    found = await stored(town, mill)
    lost = load.acknowledged - found
    print(
        f"seed {seed}: {kills} kills, {len(load.attempted)} attempted, {len(load.acknowledged)} acknowledged, "
        f"{len(lost)} lost, {len(found - load.acknowledged)} stored without answer, others {set(load.others)}"
    )
    assert lost == set()
    assert found <= load.attempted
    assert set(load.others) <= {429}


async def test_sigterm_under_load_answers_what_it_took_and_ends_in_order(place: Place) -> None:
    town = place.town
    mill = await town.tenant()
    load = Load(place, mill, [await town.mail(mill) for _ in range(20)])
    tracker = place.start()
    running = asyncio.create_task(load.run(16))
    await eventually(lambda: len(load.acknowledged) > 200, timeout=30)
    started = time.monotonic()
    code = await tracker.process.terminate(15)
    print(f"ended with {code} after {time.monotonic() - started:.2f} s; {len(load.acknowledged)} acknowledged")
    load.over.set()
    with contextlib.suppress(httpx.TransportError):
        await running
    assert code == 0
    assert load.acknowledged <= await stored(town, mill)
    assert set(load.others) <= {429}
