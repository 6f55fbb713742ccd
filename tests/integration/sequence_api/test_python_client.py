"""The Python client against the running API: both clients through one story, and what its page shows."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from postroad import AsyncClient, ChangedMeanwhileError, Client, InvalidError, NotFoundError
from postroad_sequence_api.webhooks.events import TryoutData, WebhookTest
from postroad_sequence_api.webhooks.signing import new_secret, signed
from tests.architecture.operators_docs import blocks

from .house import Tenant

PAGE = Path(__file__).parents[3] / "docs/sdk.md"
CSV = b"email;plan\nada@example.com;pro\nnobody;pro\nalan@example.com;free\n"


def url_of(tenant: Tenant) -> str:
    return str(tenant.api.http.base_url)


def waiting_story(url: str, key: str) -> None:
    with Client(url, key) as client:
        made = client.contacts.create(email="ada@example.com", attributes={"plan": "pro"}, idempotency_key="once")
        assert (
            client.contacts.create(email="ada@example.com", attributes={"plan": "pro"}, idempotency_key="once") == made
        )
        for number in range(4):
            client.contacts.put(f"crm/{number}", email=f"p{number}@example.com")
        assert [len(page.items) for page in client.contacts.list(limit=2).pages()] == [2, 2, 1]
        assert len({contact.id for contact in client.contacts.list(limit=2)}) == 5

        changed = client.contacts.change(made.id, company="Engines", if_match=made.revision)
        with pytest.raises(ChangedMeanwhileError) as conflict:
            client.contacts.change(made.id, company="Looms", if_match=made.revision)
        assert conflict.value.revision == changed.revision
        assert client.contacts.get(made.id).company == "Engines"

        job = client.wait_for_job(client.contacts.import_(CSV), interval=0.05, timeout=60)
        assert (job.state, job.counts["created"], job.counts["rejected"]) == ("completed", 1, 1)
        assert [(row["line"], row["field"]) for row in client.jobs.report(job.id)] == [(3, "email")]
        assert b"".join(client.jobs.report_csv(job.id)).startswith(b'"line",')
        assert [one.state for one in client.jobs.events(job.id)] == ["completed"]
        assert list(client.events.export()) == []

        with pytest.raises(InvalidError) as invalid:
            client.contacts.create(email="nobody")
        assert invalid.value.field == "email"
        client.contacts.delete(made.id)
        with pytest.raises(NotFoundError):
            client.contacts.get(made.id)


async def awaited_story(url: str, key: str) -> None:
    async with AsyncClient(url, key) as client:
        made = await client.contacts.create(email="ada@example.com", attributes={"plan": "pro"})
        for number in range(4):
            await client.contacts.put(f"crm/{number}", email=f"p{number}@example.com")
        assert [len(page.items) async for page in client.contacts.list(limit=2).pages()] == [2, 2, 1]
        assert len({contact.id async for contact in client.contacts.list(limit=2)}) == 5

        edits = (client.contacts.change(made.id, company=name, if_match=made.revision) for name in ("Engines", "Looms"))
        lost = [one for one in await asyncio.gather(*edits, return_exceptions=True) if isinstance(one, Exception)]
        assert [type(one) for one in lost] == [ChangedMeanwhileError], "two at once: one is told"

        job = await client.wait_for_job(await client.contacts.import_(CSV), interval=0.05, timeout=60)
        assert (job.state, job.counts["created"], job.counts["rejected"]) == ("completed", 1, 1)
        assert [(row["line"], row["field"]) async for row in client.jobs.report(job.id)] == [(3, "email")]
        assert [one.state async for one in client.jobs.events(job.id)] == ["completed"]
        assert [one async for one in client.events.export()] == []

        sender = await client.senders.create(name="main", from_email="mira@example.com", host="mail.example", port=587)
        template = await client.templates.create(
            name="hello", subject="Hello", html='<p>Hi</p><a href="{{ unsubscribe_url }}">No more</a>'
        )
        sequence = await client.sequences.create(
            name="Onboarding", sender_id=sender.id, steps=[{"template_id": template.id, "delay": "0s"}]
        )
        sequence = await client.sequences.activate(sequence.id, if_match=sequence.revision)
        enrolled = await client.enrollments.create(sequence.id, contact_ids=[made.id])
        assert (sequence.state, enrolled.counts.enrolled) == ("active", 1)
        stopped = await client.enrollments.stop(str(enrolled.results[0].enrollment_id))
        assert stopped.stop.on_the_wire == ()


async def test_a_program_does_its_work_with_the_waiting_client(tenant: Tenant) -> None:
    await asyncio.to_thread(waiting_story, url_of(tenant), tenant.key)


async def test_a_program_does_its_work_with_the_awaited_client(tenant: Tenant) -> None:
    await awaited_story(url_of(tenant), tenant.key)


async def test_what_the_page_of_the_sdk_shows_works(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("POSTROAD_URL", url_of(tenant))
    monkeypatch.setenv("POSTROAD_API_KEY", tenant.key)
    monkeypatch.chdir(tmp_path)
    secret = new_secret()
    body = _event(tenant).body()
    names: dict[str, Any] = {
        "secret": secret,
        "previous_secret": new_secret(),
        "body": body,
        "headers": signed("evt", int(time.time()), body, [secret]),
    }
    shown = blocks(PAGE.read_text(), "python")
    await asyncio.to_thread(_run, [compile(block, str(PAGE), "exec") for block in shown], names)
    assert (names["job"].state, names["job"].counts["created"], names["job"].counts["rejected"]) == ("completed", 1, 1)
    assert names["ada"].company == "Analytical Engines"
    assert names["event"].type == "webhook.test"
    assert names["fault"]["field"] == "email"


def _run(blocks: list[Any], names: dict[str, Any]) -> None:
    """All blocks in one module, as a reader would type them; its clients are closed."""
    closed: list[Callable[[], None]] = []
    try:
        for block in blocks:
            exec(block, names)
            closed = [one.close for one in names.values() if isinstance(one, Client)]
    finally:
        for close in closed:
            close()


def _event(tenant: Tenant) -> WebhookTest:
    ids = tenant.tenant_id
    return WebhookTest(id=ids, timestamp=datetime.now(UTC), tenant_id=ids, data=TryoutData(subscription_id=ids))
