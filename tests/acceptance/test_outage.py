"""Broker and database killed under load: the run ends with the same counts, by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import aio_pika
import pytest
import pytest_asyncio

from postroad_stack import Stack
from postroad_stack.eventually import eventually
from postroad_stack.services import running_services
from postroad_stack.smtp_server import running_smtp_server
from tests.acceptance.conftest import migrated_database
from tests.acceptance.world import QUICK, World, duplicates, new_world
from tests.size import FULL

pytestmark = pytest.mark.asyncio(loop_scope="module")

PEOPLE = 800 if FULL else 400
STEPS = 2


@dataclass(frozen=True)
class Ground:
    """A tenant on servers of its own, which a test may kill."""

    stack: Stack
    world: World


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ground(private_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """Own PostgreSQL and RabbitMQ, two replicas each of scheduler and sender."""
    async with (
        migrated_database(private_stack.postgres.dsn) as database,
        running_smtp_server() as smtp,
        running_services(
            database=database,
            amqp_url=private_stack.rabbitmq.url,
            # Other tests may keep these processes from their heartbeats, and here nothing may become unknown.
            settings=QUICK | {"POSTROAD_SENDER_HEARTBEAT_LIVES_SECONDS": "10"},
            replicas={"scheduler": 2, "sender": 2},
            log_dir=tmp_path_factory.mktemp("outage"),
        ) as services,
        new_world(services, smtp, database.admin_dsn, name="Outage") as world,
    ):
        await smtp.set_behaviour({"answer_delay_ms": [5, 15]})
        yield Ground(private_stack, world)


async def kill_broker(ground: Ground) -> None:
    """SIGKILL the node and start it again with the same data."""
    await ground.stack.rabbitmq.kill()
    await ground.stack.rabbitmq.restart()


async def kill_database(ground: Ground) -> None:
    """SIGKILL PostgreSQL, postmaster and children, and start it again with the same data."""
    await ground.stack.postgres.kill()
    await ground.stack.postgres.restart()


async def delete_queues(ground: Ground) -> None:
    """Delete the busiest queues with all that is in them."""
    connection = await aio_pika.connect(ground.stack.rabbitmq.url)
    async with connection:
        channel = await connection.channel()
        for queue in ("sender.due", "scheduler.settled"):
            await channel.queue_delete(queue)


@pytest.mark.parametrize(
    ("name", "outage"),
    [("broker", kill_broker), ("queues", delete_queues), ("database", kill_database)],
)
async def test_an_outage_under_load_ends_with_the_same_counts_by_itself(
    ground: Ground, name: str, outage: Callable[[Ground], Awaitable[None]]
) -> None:
    world = ground.world
    contacts = await world.add_contacts([f"{name}-{n}@outage.example" for n in range(PEOPLE)])
    sequence_id = await world.add_sequence(name, steps=STEPS)
    await world.enroll(sequence_id, list(contacts.values()))
    await eventually(lambda: sum(world.mails(name).values()) >= 200, timeout=60, interval=0.1)
    await outage(ground)
    await world.reconnect()

    assert await world.until_ended(sequence_id, timeout=180) == {"completed": PEOPLE}
    mails, ledger = world.mails(name), await world.ledger(sequence_id)
    unknown = await world.unknown(sequence_id)
    print(f"{name}: ledger {dict(ledger)}, accepted by the server {sum(mails.values())}, unknown {len(unknown)}")
    assert duplicates(mails) == {}
    assert sum(ledger.values()) == PEOPLE * STEPS
    assert set(ledger) <= {"accepted", "unknown"}
    if name != "database":
        assert not unknown, "no sender died: every answer was heard"
    assert len(mails) >= ledger["accepted"]
    report = await world.verify()
    assert report["ok"], report
