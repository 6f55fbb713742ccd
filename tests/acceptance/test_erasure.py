"""The right to erasure, over all services: nothing in the database names who was erased, and others are whole."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from postroad_common.ids import pack_ref
from postroad_stack.eventually import eventually
from postroad_stack.fake_esps import FakePostmark
from postroad_stack.services import Services
from postroad_stack.smtp_server import Accepted, SmtpServer
from tests.acceptance.world import World, new_world, part
from tests.http import http_client

pytestmark = pytest.mark.asyncio(loop_scope="module")

POSTMARK = FakePostmark("postmark", "erase-secret-of-32-characters-ab")
ERASED, OTHER = "Gwendolyn.Erased@erasure.example", "other@erasure.example"
MARKS = ("gwendolyn", "erasedname", "erasedcorp", "crm-erased", "erased-browser")
"""What names the one who is to be erased: parts of the address, the name, the company, the id, the browser."""
MAY_KEEP = {"tracking.stops"}
"""docs/erasure.md: the address that bounced stays suppressed."""


@dataclass(frozen=True)
class Scene:
    """Two tenants that wrote to the same person, the first to another one too."""

    world: World
    elsewhere: World
    contacts: dict[str, str]
    enrollments: dict[str, str]
    sequence_id: str


async def meet(world: World, emails: list[str]) -> tuple[dict[str, str], dict[str, str], str]:
    """People of whom everything is there: mails, opens, clicks, provider's events, reports of jobs."""
    source = {"name": "pm", "esp": "postmark", "credentials": [{"username": "postmark", "password": POSTMARK.password}]}
    webhook = (await world.call("POST", "/webhook-sources", json=source))["url"]
    rows = "".join(
        f"{email},ErasedName,ErasedCorp,crm-erased-{n}\n" if email == ERASED else f"{email},Otto,Corp,crm-{n}\n"
        for n, email in enumerate(emails)
    )
    text = f"email,first_name,company,external_id\n{rows}{ERASED};broken,x,y,z,too,many\n"
    job = await world.call("POST", "/contacts/import", content=text.encode(), headers={"Content-Type": "text/csv"})
    await ended(world, job["id"])
    contacts = {
        row["email"]: str(row["contact_id"])
        for row in await world.admin.fetch(
            "SELECT email, contact_id FROM sequence.contacts WHERE tenant_id = $1", world.tenant_id
        )
    }
    world.sender_id = await world.add_sender()
    steps = []
    for number in (1, 2):
        template = await world.call(
            "POST",
            "/templates",
            json={
                "name": f"erasure {number}",
                "subject": "For {{ contact.first_name }} of {{ contact.company }}",
                "html": '<a href="https://shop.example/x?of={{ contact.external_id }}">Go</a>'
                '<a href="{{ unsubscribe_url }}">No more</a>',
                "text": "Hello {{ contact.email }} {{ unsubscribe_url }}",
            },
        )
        delay = "0s" if number == 1 else "1h"
        steps.append({"kind": "email", "template_id": template["id"], "delay": delay})
    sequence = await world.call(
        "POST", "/sequences", json={"name": "Erasure", "sender_id": world.sender_id, "steps": steps}
    )
    await world.call("POST", f"/sequences/{sequence['id']}/activate")
    enrolled = await world.enroll(sequence["id"], list(contacts.values()))
    for email, contact_id in contacts.items():
        await react(world, webhook, email, contact_id)
    for path, body in (
        ("/contacts/export", {}),
        ("/contacts/export", {"filter": f'email = "{ERASED.lower()}"'}),
        (f"/sequences/{sequence['id']}/enrollments/bulk", {"all": True}),
    ):
        await ended(world, (await world.call("POST", path, json=body))["id"])
    return contacts, {email: enrolled[id_] for email, id_ in contacts.items()}, str(sequence["id"])


async def react(world: World, webhook: str, email: str, contact_id: str) -> None:
    """Open and click as the recipient; the provider tells of a bounce."""
    sent: dict[str, UUID] = {}

    async def in_ledger() -> bool:
        found = await world.admin.fetch(
            "SELECT rfc_message_id, message_id FROM delivery.messages WHERE tenant_id = $1 AND contact_id = $2"
            " AND state = 'accepted'",
            world.tenant_id,
            UUID(contact_id),
        )
        sent.update({row["rfc_message_id"]: row["message_id"] for row in found})
        return bool(sent)

    await eventually(in_ledger, timeout=40, reason="the mail is accepted")
    [(rfc_message_id, message_id)] = sent.items()

    def arrived() -> Accepted | None:
        return next((m for m in world.smtp.accepted() if rfc_message_id.encode() in m.content()), None)

    mail = await eventually(arrived, timeout=20)
    browser = {"User-Agent": "Erased-Browser/1.0" if email == ERASED.lower() else "Some-Browser/1.0"}
    async with http_client(headers=browser) as recipient, http_client() as provider:
        link = re.search(r'href="([^"]+/c/[^"]+)"', part(mail, "html"))
        pixel = re.search(r'src="([^"]+/o/[^"]+)"', part(mail, "html"))
        assert link
        assert pixel
        assert (await recipient.get(pixel[1])).status_code == 200
        assert (await recipient.get(link[1])).status_code == 302
        happened = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {**POSTMARK.bounce(email=email, ref=pack_ref(world.tenant_id, message_id)), "BouncedAt": happened}
        request = POSTMARK.request(event)
        assert (await provider.post(webhook, content=request.body, headers=request.headers)).status_code == 200


async def ended(world: World, job_id: str) -> Any:
    last: dict[str, Any] = {}

    async def has_ended() -> bool:
        last.update(await world.call("GET", f"/jobs/{job_id}"))
        return last["ended_at"] is not None

    await eventually(has_ended, timeout=60, reason=f"the end of job {job_id}")
    assert last["state"] == "completed", last
    return last


async def naming(world: World, tenant_id: UUID) -> dict[str, int]:
    """How many rows of each table of a tenant name the erased one anywhere, whatever the column."""
    tables = await world.admin.fetch(
        "SELECT table_schema || '.' || table_name AS name FROM information_schema.columns"
        " WHERE table_schema IN ('sequence', 'schedule', 'delivery', 'tracking') AND column_name = 'tenant_id'"
        " AND (table_schema, table_name) IN (SELECT schemaname, tablename FROM pg_tables) ORDER BY 1"
    )
    found = {}
    for (name,) in tables:
        columns = [
            row["attname"]
            for row in await world.admin.fetch(
                "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0"
                " AND NOT attisdropped",
                name,
            )
        ]
        whole = " || ' ' || ".join(
            f"coalesce(CASE WHEN pg_typeof({c}) = 'bytea'::regtype"
            f" THEN encode({c}::text::bytea, 'escape') ELSE {c}::text END, '')"
            for c in columns
        )
        count = await world.admin.fetchval(
            f"SELECT count(*) FROM {name} WHERE tenant_id = $1 AND lower({whole}) ~ $2", tenant_id, "|".join(MARKS)
        )
        if count and name != "sequence.job_input":  # files, swept away some seconds after their jobs' ends
            found[name] = count
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(acceptance_services: tuple[Services, SmtpServer, str]) -> AsyncIterator[Scene]:
    services, smtp, admin_dsn = acceptance_services
    async with (
        new_world(services, smtp, admin_dsn, name="Erasing") as world,
        new_world(services, smtp, admin_dsn, name="Elsewhere") as elsewhere,
    ):
        contacts, enrollments, sequence_id = await meet(world, [ERASED, OTHER])
        await meet(elsewhere, [ERASED])
        yield Scene(world, elsewhere, contacts, enrollments, sequence_id)


async def whole(world: World, contact_id: str | None = None) -> list[Any]:
    """What the API tells of a contact, or of all."""
    paths = ("", "/timeline") if contact_id else ()
    told = [await world.call("GET", f"/contacts/{contact_id}{path}") for path in paths]
    query = {"contact_id": contact_id} if contact_id else {}
    return [*told, *[await world.call("GET", path, params=query) for path in ("/messages", "/events", "/enrollments")]]


async def test_who_is_erased_is_named_nowhere_any_more_and_everybody_else_is_as_before(scene: Scene) -> None:
    world, erased, other = scene.world, scene.contacts[ERASED.lower()], scene.contacts[OTHER]
    named = await naming(world, world.tenant_id)
    assert {"sequence.contacts", "delivery.messages", "sequence.job_reports", "tracking.raw_requests"} <= set(named)
    others = await whole(world, other)
    elsewhere = await naming(world, scene.elsewhere.tenant_id), await whole(scene.elsewhere)

    await ended(world, (await world.call("POST", f"/contacts/{erased}/erase"))["id"])

    assert set(await naming(world, world.tenant_id)) <= MAY_KEEP
    assert await whole(world, other) == others
    assert (await naming(world, scene.elsewhere.tenant_id), await whole(scene.elsewhere)) == elsewhere
    enrollment = await world.call("GET", f"/enrollments/{scene.enrollments[ERASED.lower()]}")
    assert enrollment["state"] != "active"
    proofs = await world.verify()
    assert proofs["ok"], proofs
    suppressed = await world.call("GET", "/suppressions", params={"email": ERASED.lower()})
    assert [one["kinds"] for one in suppressed["items"]] == [["bounced"]]


async def test_what_happens_after_the_erasure_names_nobody_and_erasing_again_is_fine(scene: Scene) -> None:
    world, erased = scene.world, scene.contacts[ERASED.lower()]
    mail = next(m for m in world.smtp.accepted() if m.recipient == ERASED.lower())
    async with http_client(headers={"User-Agent": "Erased-Browser/1.0"}) as recipient:
        pixel = re.search(r'src="([^"]+/o/[^"]+)"', part(mail, "html"))
        assert pixel
        assert (await recipient.get(pixel[1])).status_code == 200
    again = await ended(world, (await world.call("POST", f"/contacts/{erased}/erase"))["id"])
    assert again["counts"] == {"already_erased": 1}
    late = "UPDATE delivery.messages SET recipient = $2, subject = 'For ErasedName' WHERE contact_id = $1"
    await world.admin.execute(late, UUID(erased), ERASED.lower())  # as of a mail that was rendered before
    assert set(await naming(world, world.tenant_id)) <= MAY_KEEP
