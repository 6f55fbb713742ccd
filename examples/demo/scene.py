"""The scene on the stage: the demo tenant with its sender, webhook sources, sequence and contacts."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from examples.demo.letter import links_of
from examples.demo.people import Person, person
from examples.demo.provider import Provider
from examples.demo.stage import Stage
from postroad import AsyncClient
from postroad.models import Job, Sequence
from postroad.params import Credentials
from postroad.plan import carry_out, make_plan, read_present
from postroad.sequence_file import SequenceFile, read_sequence_file
from postroad_stack.fake_esps import FakePostmark, FakeSendGrid
from postroad_stack.smtp_server import Behaviour, refuse

EXAMPLES = Path(__file__).parents[1]


@dataclass(frozen=True)
class Scene:
    """All set, nobody enrolled yet."""

    client: AsyncClient
    key: str
    tenant_id: UUID
    sequence: Sequence
    imported: Job
    people: dict[str, Person]
    provider: Provider
    link_hosts: frozenset[str]


@contextlib.asynccontextmanager
async def set_scene(stage: Stage, contacts: bytes, seed: int) -> AsyncIterator[Scene]:
    """Make the tenant and all it needs by the API, as a user would."""
    async with AsyncClient(stage.api_url, stage.operator_token) as operator:
        made = await operator.tenants.create(
            name="Fernweh (demo)", timezone="Europe/Berlin", postal_address="Fernweh GmbH, Lindenallee 7, 10115 Berlin"
        )
    async with AsyncClient(stage.api_url, made.api_key.key) as client:
        file = read_sequence_file(EXAMPLES / "onboarding.yaml")
        await _add_sender(client, stage, file)
        provider = await _add_provider(client)
        sequence = await carry_out(client, make_plan(file, await read_present(client, file), activate=True))
        imported = await client.wait_for_job(await client.contacts.import_(contacts), interval=0.1)
        people = {one.email: person(seed, one.email) async for one in client.contacts.list(limit=200)}
        dead = tuple(refuse(one.email) for one in people.values() if one.dead)
        await stage.smtp.set_behaviour(Behaviour(rules=dead))
        yield Scene(client, made.api_key.key, made.tenant.id, sequence, imported, people, provider, _link_hosts(file))


async def _add_sender(client: AsyncClient, stage: Stage, file: SequenceFile) -> None:
    await client.senders.create(
        name=file.sender,
        from_email="mira@fernweh.example",
        from_name="Mira from Fernweh",
        esp="sendgrid",  # so that mails carry the reference that SendGrid's webhooks give back
        host=stage.mail_host,
        port=stage.smtp.port,
        security="none",
    )


async def _add_provider(client: AsyncClient) -> Provider:
    """Two webhook sources: SendGrid with a key of its own, Postmark with credentials, for replies."""
    sendgrid = FakeSendGrid()
    signed = await client.webhook_sources.create(name="SendGrid", esp="sendgrid", public_keys=[sendgrid.public_key])
    postmark = FakePostmark("postmark", secrets.token_urlsafe(24))
    credentials: list[Credentials] = [{"username": postmark.username, "password": postmark.password}]
    basic = await client.webhook_sources.create(name="Postmark", esp="postmark", credentials=credentials)
    return Provider(sendgrid, signed.url, postmark, basic.url)


def _link_hosts(file: SequenceFile) -> frozenset[str]:
    links = [link for template in file.templates.values() for link in links_of(template.html)]
    return frozenset(host for link in links if (host := urlsplit(link).hostname))
