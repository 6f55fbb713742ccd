"""Promise 3 at full flow: after the answer to a stop the server accepts nothing of it but what the answer lists."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from postroad_common.ids import pack_ref
from postroad_stack.eventually import eventually
from postroad_stack.fake_esps import FakePostmark, FakeSendGrid, WebhookRequest
from postroad_stack.services import Services
from postroad_stack.smtp_server import Accepted, SmtpServer
from tests.acceptance.world import World, duplicates, new_world
from tests.http import http_client
from tests.size import FULL

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.alone]

PEOPLE = 6_000 if FULL else 2_500
TWO_STEPS_TO = PEOPLE // 2 if FULL else 1_800
STOPPED = 600 if FULL else 240
RATE = 200  # accepted per second, at least, while the stop is asked for


@dataclass(frozen=True)
class Answered:
    """A stop that was answered: when (epoch ns, after the answer arrived) and which messages it listed."""

    at_ns: int
    on_the_wire: frozenset[str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(acceptance_services: tuple[Services, SmtpServer, str]) -> AsyncIterator[World]:
    """A tenant whose mail server takes its time, so that thousands queue behind it."""
    services, smtp, admin_dsn = acceptance_services
    async with new_world(services, smtp, admin_dsn, name="Town") as world:
        await smtp.set_behaviour({"answer_delay_ms": [20, 40]})
        yield world
        await smtp.set_behaviour({})


async def in_full_flow(world: World, name: str, step: int = 1) -> float:
    """Wait until mails of the step flow; returns how many the server accepts per second now."""

    def accepted() -> int:
        return sum(n for (_, subject), n in world.mails(name).items() if subject == f"{name} step {step}")

    await eventually(lambda: accepted() >= 50, timeout=60, interval=0.1)
    rate, deadline = 0.0, time.monotonic() + 10
    while rate < RATE:
        assert time.monotonic() < deadline, f"only {rate:.0f} accepted/s: the run does not count"
        before, started = accepted(), time.monotonic()
        await asyncio.sleep(0.4)
        rate = (accepted() - before) / (time.monotonic() - started)
    return rate


async def waiting(world: World, sequence_id: str) -> int:
    """Enrollments whose step is with the sender or due."""
    return int(
        await world.admin.fetchval(
            "SELECT count(*) FROM schedule.progress"
            " WHERE sequence_id = $1 AND phase IN ('claimed', 'in_flight', 'waiting')",
            UUID(sequence_id),
        )
    )


async def sent(world: World, sequence_id: str, subject: str) -> dict[str, tuple[Accepted, str]]:
    """Recipient → the mail with that subject as the server logged it, and our message id of its Message-ID header."""
    rows = await world.admin.fetch(
        "SELECT message_id, rfc_message_id FROM delivery.messages WHERE sequence_id = $1", UUID(sequence_id)
    )
    by_header = {row["rfc_message_id"]: str(row["message_id"]) for row in rows}
    accepted = [mail for mail in world.smtp.accepted() if mail.subject == subject]
    return {mail.recipient: (mail, by_header[mail.message_id]) for mail in accepted}


async def test_nothing_of_a_paused_sequence_is_accepted_after_the_answer_and_resume_sends_each_step_once(
    town: World,
) -> None:
    contacts = await town.add_contacts([f"pause-{n}@town.example" for n in range(PEOPLE)])
    sequence_id = await town.add_sequence("pause", steps=1)
    await town.enroll(sequence_id, list(contacts.values()))
    rate = await in_full_flow(town, "pause")
    queued = await waiting(town, sequence_id)
    assert queued >= 1_000, "thousands must be queued for the run to count"

    stop = (await town.call("POST", f"/sequences/{sequence_id}/pause"))["stop"]
    answered = time.time_ns()
    await asyncio.sleep(3)
    mails_so_far = await sent(town, sequence_id, "pause step 1")
    late = {message_id for mail, message_id in mails_so_far.values() if mail.accepted_ns > answered}
    print(
        f"paused at {rate:.0f}/s with {queued} waiting: {len(late)} accepted later, {len(stop['on_the_wire'])} listed"
    )
    assert late <= set(stop["on_the_wire"])
    assert len(mails_so_far) < PEOPLE, "the pause came too late to prove anything"

    await town.call("POST", f"/sequences/{sequence_id}/resume")
    assert await town.until_ended(sequence_id, timeout=120) == {"completed": PEOPLE}
    mails = town.mails("pause")
    assert len(mails) == PEOPLE
    assert duplicates(mails) == {}


Stopper = Callable[[World, Accepted, str], Awaitable[httpx.Response]]


async def unsubscribe(world: World, mail: Accepted, message_id: str) -> httpx.Response:
    """One-click (RFC 8058) with the URL of the mail's own List-Unsubscribe header."""
    url = mail.headers["List-Unsubscribe"].split(",")[0].strip(" <>")
    async with http_client(timeout=30) as recipient:
        return await recipient.post(url, data={"List-Unsubscribe": "One-Click"})


SENDGRID = FakeSendGrid()
POSTMARK = FakePostmark("postmark", "town-secret-of-32-characters-abcd")
SOURCES: dict[str, str] = {}


async def post(world: World, esp: str, request: WebhookRequest) -> httpx.Response:
    """Deliver a webhook to the tenant's source of that ESP."""
    async with http_client(timeout=30) as provider:
        return await provider.post(SOURCES[esp], content=request.body, headers=dict(request.headers))


async def reply(world: World, mail: Accepted, message_id: str) -> httpx.Response:
    payload = POSTMARK.reply(email=mail.recipient, in_reply_to=mail.message_id, text="Please call me.")
    return await post(world, "postmark", POSTMARK.request(payload))


async def complain(world: World, mail: Accepted, message_id: str) -> httpx.Response:
    ref = pack_ref(world.tenant_id, UUID(message_id))
    return await post(
        world, "sendgrid", SENDGRID.request([SENDGRID.event("spamreport", email=mail.recipient, ref=ref)])
    )


async def bounce(world: World, mail: Accepted, message_id: str) -> httpx.Response:
    ref = pack_ref(world.tenant_id, UUID(message_id))
    return await post(world, "postmark", POSTMARK.request(POSTMARK.bounce(email=mail.recipient, ref=ref)))


#: How a contact is stopped, by the state that its enrollment ends in.
STOPPERS: dict[str, tuple[Stopper, str]] = {
    "unsubscribe": (unsubscribe, "unenrolled"),
    "reply": (reply, "replied"),
    "complaint": (complain, "unenrolled"),
    "hardbounce": (bounce, "bounced"),
}
#: At full size each kind has a run of its own; the reduced run has all four in it.
RUNS = [(kind,) for kind in STOPPERS] if FULL else [tuple(STOPPERS)]


@pytest.mark.parametrize("kinds", RUNS, ids="+".join)
async def test_nothing_to_a_stopped_contact_is_accepted_after_the_answer(town: World, kinds: tuple[str, ...]) -> None:
    await register_sources(town)
    name, people = kinds[0], TWO_STEPS_TO
    contacts = await town.add_contacts([f"{name}-{n}@town.example" for n in range(people)])
    sequence_id = await town.add_sequence(name, steps=2, delay=f"{people // 150}s")
    await town.enroll(sequence_id, list(contacts.values()))
    await eventually(lambda: len(town.mails(name)) >= people, timeout=60, interval=0.1)
    first_mails = await sent(town, sequence_id, f"{name} step 1")
    await in_full_flow(town, name, step=2)

    already = {recipient for recipient, subject in town.mails(name) if subject.endswith("step 2")}
    chosen = [email for email in contacts if email not in already][-STOPPED:]
    stopped_by = {email: kinds[number % len(kinds)] for number, email in enumerate(chosen)}
    answers = await stop_all(town, [(STOPPERS[kind][0], *first_mails[email]) for email, kind in stopped_by.items()])
    assert await town.until_ended(sequence_id, timeout=120)

    second_mails = await sent(town, sequence_id, f"{name} step 2")
    states = await states_of(town, sequence_id)
    for kind in kinds:
        asked = [email for email in chosen if stopped_by[email] == kind]
        spared = [email for email in asked if email not in second_mails]
        late = [email for email in asked if email in second_mails and came_late(second_mails[email], answers[email])]
        print(f"{kind}: {len(asked)} stopped, {len(spared)} of them never got step 2, {len(late)} late")
        assert late == []
        assert spared, "the stops came too late to prove anything"
        assert {states[email] for email in spared} == {STOPPERS[kind][1]}
    assert duplicates(town.mails(name)) == {}


def came_late(sent: tuple[Accepted, str], answer: Answered) -> bool:
    """Whether the server accepted the mail after the stop's answer, which did not list it."""
    mail, message_id = sent
    return mail.accepted_ns > answer.at_ns and message_id not in answer.on_the_wire


async def states_of(world: World, sequence_id: str) -> dict[str, str]:
    """The state of each contact's enrollment, by address."""
    rows = await world.admin.fetch(
        "SELECT email, state FROM schedule.progress JOIN sequence.contacts USING (tenant_id, contact_id)"
        " WHERE sequence_id = $1",
        UUID(sequence_id),
    )
    return {row["email"]: row["state"] for row in rows}


async def register_sources(world: World) -> None:
    """The tenant's inbound endpoints, once."""
    if SOURCES:
        return
    sendgrid = {"name": "sendgrid", "esp": "sendgrid", "public_keys": [SENDGRID.public_key]}
    postmark = {
        "name": "postmark",
        "esp": "postmark",
        "credentials": [{"username": POSTMARK.username, "password": POSTMARK.password}],
    }
    for source in (sendgrid, postmark):
        SOURCES[str(source["esp"])] = (await world.call("POST", "/webhook-sources", json=source))["url"]


async def stop_all(world: World, stops: list[tuple[Stopper, Accepted, str]]) -> dict[str, Answered]:
    """Stop the recipient of each mail, twenty at a time."""
    gate = asyncio.Semaphore(20)
    answers: dict[str, Answered] = {}

    async def stop(stopper: Stopper, mail: Accepted, message_id: str) -> None:
        async with gate:
            response = await stopper(world, mail, message_id)
            at_ns = time.time_ns()
            assert response.status_code == 200, response.text
            header = response.headers.get("Postroad-On-The-Wire", "")
            listed = response.json()["on_the_wire"] if "json" in response.headers["Content-Type"] else header.split(",")
            answers[mail.recipient] = Answered(at_ns, frozenset(item.strip() for item in listed if item.strip()))

    await asyncio.gather(*(stop(*one) for one in stops))
    return answers
