"""Services work on a schema that is newer than theirs, as they do while a rollout is on its way."""

from pathlib import Path

import asyncpg
import pytest

from postroad_stack import Stack
from postroad_stack.databases import Database, expand
from postroad_stack.services import running_services
from postroad_stack.smtp_server import running_smtp_server
from tests.acceptance.world import QUICK, new_world


@pytest.mark.prove
async def test_services_work_on_a_schema_newer_than_theirs(
    stack: Stack, database: Database, vhost: str, tmp_path: Path
) -> None:
    await expand(database)
    people = [f"person-{number}@example.com" for number in range(20)]
    async with (
        running_smtp_server() as smtp,
        running_services(database=database, amqp_url=vhost, settings=QUICK, log_dir=tmp_path) as services,
        new_world(services, smtp, database.admin_dsn) as world,
    ):
        sequence = await world.add_sequence("Newer", steps=2)
        contacts = await world.add_contacts(people)
        await world.enroll(sequence, list(contacts.values()))

        assert await world.until_ended(sequence, timeout=60) == {"completed": len(people)}
        assert world.mails("Newer") == {(email, f"Newer step {step}"): 1 for email in people for step in (1, 2)}
        assert (await world.verify())["ok"]
        newer = await asyncpg.connect(database.admin_dsn)
        assert await newer.fetchval("SELECT count(*) FROM delivery.messages WHERE added_later = 'later'") == 40
        await newer.close()
