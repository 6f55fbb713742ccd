"""Outbound webhooks: whole processes that post to receivers, and what the receivers' own logs say."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from postroad_common.amqp import Broker
from postroad_common.contracts import (
    EnrollmentEnded,
    EnrollmentsEndedV1,
    Message,
    Outcome,
    RecordedEvent,
    StepSettled,
    StepsSettledV1,
    TrackingRecordedV1,
)
from postroad_common.db import create_pool, queries
from postroad_common.ids import message_id_for, new_id
from postroad_sequence_api.webhooks.delivering import forget_old_deliveries
from postroad_sequence_api.webhooks.schedule import JITTER, PAUSES
from postroad_stack.databases import Database
from postroad_stack.eventually import eventually
from postroad_stack.process import Process
from tests.http import http_client

from .house import OPERATOR_TOKEN, Api, Enrolled, Tenant, api_of, csv_of, new_tenant, start
from .receivers import INSIDE, OUTSIDE, Canary, Received, Receiver, answer, canary, receiver, stall
from .spellings import MALFORMED_URLS, PRIVATE_URLS, PUBLIC_URLS

HERE = Path(__file__).parent
DELIVERIES = queries("postroad_sequence_api", "webhook_deliveries")
WORKING = {
    "POSTROAD_SEQUENCE_API_WEBHOOK_WORKERS": "8",
    "POSTROAD_SEQUENCE_API_WEBHOOK_TRUSTED_NETWORKS": OUTSIDE,
}
CONNECTIONS = 10
"""Of the process to its database."""
LEASE = timedelta(seconds=46)
"""One second of a post, and the margin."""


class Names:
    """What the process's name server says; None: it does not answer. Other names are the machine's."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "names.json"
        self._asked = directory / "asked"
        self.say({})

    def say(self, names: dict[str, str | None]) -> None:
        written = self.file.with_suffix(".new")
        written.write_text(json.dumps(names))
        written.replace(self.file)

    def asked(self) -> int:
        """How many have waited, or wait, for an answer."""
        return len(self._asked.read_text().splitlines()) if self._asked.exists() else 0


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Names:
    return Names(tmp_path_factory.mktemp("names"))


@pytest.fixture(scope="module")
def process(
    module_database: Database, module_vhost: str, tmp_path_factory: pytest.TempPathFactory, names: Names
) -> Iterator[Process]:
    """One process that posts, for tenants of the tests' own. The clock of its database only goes on."""
    log, program = tmp_path_factory.mktemp("webhooks") / "log", [sys.executable, str(HERE / "rebinding_process.py")]
    settings = {**WORKING, "POSTROAD_TEST_NAMES": str(names.file)}
    started = start(module_database, module_vhost, log, program=program, **settings)
    yield started
    asyncio.run(started.kill())


@pytest_asyncio.fixture
async def admin(module_database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(module_database.admin_dsn)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def api(process: Process, module_vhost: str) -> AsyncIterator[Api]:
    async with http_client() as http:
        yield await api_of(process, http, module_vhost)


@pytest_asyncio.fixture
async def tenant(api: Api, admin: asyncpg.Connection) -> Tenant:
    return await new_tenant(api, admin)


@pytest_asyncio.fixture
async def outside() -> AsyncIterator[Receiver]:
    async with receiver() as taking:
        yield taking


@pytest_asyncio.fixture
async def inside() -> AsyncIterator[Canary]:
    async with canary() as counting:
        yield counting


@pytest_asyncio.fixture
async def broker(api: Api) -> AsyncIterator[Broker]:
    """To tell what the other services tell."""
    async with await Broker.connect(api.amqp_url, name="webhooks test") as connected:
        yield connected


async def travel(admin: asyncpg.Connection, span: timedelta) -> None:
    """The database's clock jumps ahead by so much, and goes on."""
    ahead: timedelta = await admin.fetchval("SELECT postroad.now() - clock_timestamp()")
    seconds = (ahead + span).total_seconds()
    await admin.execute(
        "CREATE OR REPLACE FUNCTION postroad.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS"
        f" $$ SELECT clock_timestamp() + make_interval(secs => {seconds}) $$"
    )


async def subscribe(tenant: Tenant, url: str, *types: str, **values: Any) -> Any:
    body = {"url": url, "event_types": types or ("*",), **values}
    return await tenant.call("POST", "/webhook-subscriptions", json=body, expect=201)


async def deliveries(tenant: Tenant, subscription: Any, **query: str) -> list[Any]:
    page = await tenant.call("GET", f"/webhook-subscriptions/{subscription['id']}/deliveries", params=query)
    items: list[Any] = page["items"]
    return items


async def shown(tenant: Tenant, subscription: Any) -> Any:
    return await tenant.call("GET", f"/webhook-subscriptions/{subscription['id']}")


def opened(tenant: Tenant, count: int = 1, **values: Any) -> TrackingRecordedV1:
    """Opens as the tracker tells of them."""
    items = tuple(
        RecordedEvent(event_id=new_id(), type="opened", occurred_at=datetime.now(UTC), contact_id=new_id(), **values)
        for _ in range(count)
    )
    return TrackingRecordedV1(tenant_id=tenant.tenant_id, items=items)


async def settled_to(tenant: Tenant, subscription: Any, state: str, count: int = 1) -> list[Any]:
    """The deliveries, once so many have come to a state by an attempt."""

    async def there() -> list[Any] | None:
        found = [one for one in await deliveries(tenant, subscription, state=state) if one["last_attempt_at"]]
        return found if len(found) >= count else None

    return await eventually(there, timeout=20, reason=f"{count} {state}")


async def test_an_event_is_signed_as_a_library_of_the_standard_verifies_it(tenant: Tenant, outside: Receiver) -> None:
    subscription = await subscribe(tenant, outside.url, "enrollment.created")
    one = await tenant.enrolled()

    [received] = await outside.received(1)

    verified = Webhook(subscription["secret"]).verify(received.body, received.headers)
    assert verified == received.event
    assert received.event == {
        "id": received.headers["webhook-id"],
        "type": "enrollment.created",
        "timestamp": received.event["timestamp"],
        "tenant_id": str(tenant.tenant_id),
        "data": {
            "enrollment_id": str(one.enrollment_id),
            "contact_id": one.contact["id"],
            "sequence_id": one.sequence["id"],
            "version": 1,
        },
    }
    with pytest.raises(WebhookVerificationError):
        Webhook(subscription["secret"]).verify(received.body + b" ", received.headers)
    other = await subscribe(tenant, outside.url, "enrollment.created")
    with pytest.raises(WebhookVerificationError):
        Webhook(other["secret"]).verify(received.body, received.headers)
    assert "secret" not in await shown(tenant, subscription)


async def test_what_each_service_tells_arrives_as_an_event_of_its_type(
    tenant: Tenant, outside: Receiver, broker: Broker
) -> None:
    await subscribe(tenant, outside.url)
    one = await tenant.enrolled()
    ids = {"contact_id": one.contact["id"], "enrollment_id": str(one.enrollment_id), "sequence_id": one.sequence["id"]}
    message_id = message_id_for(tenant.tenant_id, one.enrollment_id, "step-1")
    outcomes: list[Outcome] = ["accepted", "refused", "unknown", "cancelled", "held", "deferred"]
    kinds = ["delivered", "opened", "clicked", "bounced", "replied", "queued", "unknown"]
    for message in told(tenant, one, outcomes, kinds):
        await broker.publish(message)

    await outside.received(11)

    by_type = {event["type"]: event for event in outside.events()}
    assert set(by_type) == {
        "enrollment.created", "message.accepted", "message.refused", "message.unknown", "message.cancelled",
        "message.delivered", "message.opened", "message.clicked", "message.bounced", "message.replied",
        "enrollment.completed",
    }  # fmt: skip
    assert len(outside.log) == 11, "what is put off or of no use to anybody is not told"
    assert by_type["message.accepted"]["data"] == {"message_id": str(message_id), "step_key": "step-1", **ids}
    assert by_type["message.refused"]["data"]["bounce_type"] == "hard"
    assert by_type["message.clicked"]["data"] == {
        "message_id": str(message_id), "step_key": "step-1", "machine": False, "url": "https://ours.example/", **ids
    }  # fmt: skip
    assert by_type["enrollment.completed"]["data"] == {**ids, "version": 1}


def told(tenant: Tenant, one: Enrolled, outcomes: list[Outcome], kinds: list[str]) -> list[Message]:
    """What sender, tracker and scheduler tell of an enrollment."""
    at, ids = datetime.now(UTC), {"contact_id": UUID(one.contact["id"]), "sequence_id": UUID(one.sequence["id"])}
    message_id = message_id_for(tenant.tenant_id, one.enrollment_id, "step-1")
    settled = (
        StepSettled(
            enrollment_id=one.enrollment_id,
            step_key="step-1",
            attempt=attempt,
            outcome=outcome,
            settled_at=at,
            bounce_type="hard" if outcome == "refused" else None,
        )
        for attempt, outcome in enumerate(outcomes, 1)
    )
    recorded = (
        RecordedEvent(
            event_id=new_id(),
            type=kind,
            occurred_at=at,
            message_id=message_id,
            enrollment_id=one.enrollment_id,
            step_key="step-1",
            url="https://ours.example/" if kind == "clicked" else None,
            **ids,
        )
        for kind in kinds
    )
    ended = EnrollmentEnded(enrollment_id=one.enrollment_id, version=1, state="completed", ended_at=at, **ids)
    return [
        StepsSettledV1(tenant_id=tenant.tenant_id, items=tuple(settled)),
        TrackingRecordedV1(tenant_id=tenant.tenant_id, items=tuple(recorded)),
        EnrollmentsEndedV1(tenant_id=tenant.tenant_id, items=(ended,)),
    ]


async def test_the_end_of_a_job_is_told_with_what_came_of_it_and_so_is_who_was_erased(
    tenant: Tenant, outside: Receiver
) -> None:
    await subscribe(tenant, outside.url, "job.completed", "job.failed", "job.cancelled", "contact.erased")
    file = csv_of("email\nada@people.example\nnobody\n")
    imported = await tenant.call("POST", "/contacts/import", **file, expect=202)
    [completed] = await outside.received(1)
    [ada] = (await tenant.call("GET", "/contacts"))["items"]
    erasure = await tenant.call("POST", f"/contacts/{ada['id']}/erase", expect=202)
    await outside.received(2)  # the job goes on: it waits for the other services, of which none runs
    await tenant.call("POST", f"/jobs/{erasure['id']}/cancel")
    await outside.received(3)

    assert completed.event["data"] == {
        "job_id": imported["id"],
        "kind": "import",
        "counts": (await tenant.call("GET", f"/jobs/{imported['id']}"))["counts"],
        "error_code": None,
    }
    [erased], [cancelled] = outside.events("contact.erased"), outside.events("job.cancelled")
    assert erased["data"] == {"contact_id": ada["id"]}
    assert cancelled["data"] == {
        "job_id": erasure["id"],
        "kind": "erase",
        "counts": {"erased": 1},
        "error_code": None,
    }


async def test_what_is_told_twice_is_delivered_once_and_only_to_those_who_subscribe(
    tenant: Tenant, outside: Receiver, broker: Broker
) -> None:
    async with receiver() as uninterested:
        await subscribe(tenant, outside.url, "message.opened", "enrollment.completed")
        await subscribe(tenant, uninterested.url, "message.clicked")
        disabled = await subscribe(tenant, uninterested.url, enabled=False)
        one = await tenant.enrolled()
        messages = [*told(tenant, one, ["accepted"], ["opened"]), opened(tenant)]
        for message in messages * 2:
            await broker.publish(message)

        await outside.received(3)
        await broker.publish(opened(tenant))
        await outside.received(4)

        assert len(outside.events("message.opened")) == 3
        assert len(outside.events("enrollment.completed")) == 1
        assert uninterested.log == []
        assert await deliveries(tenant, disabled) == []


async def test_what_fails_comes_again_by_the_schedule_with_the_same_id(
    tenant: Tenant, outside: Receiver, broker: Broker, admin: asyncpg.Connection
) -> None:
    subscription = await subscribe(tenant, outside.url, "message.opened")
    outside.behave = answer(500, "no \x00 disk")
    await broker.publish(opened(tenant))
    for attempt in (1, 2):
        await outside.received(attempt)
        [waiting] = await settled_to(tenant, subscription, "pending")
        assert waiting["attempts"] == attempt
        assert waiting["last_error"] == "HTTP 500"
        await travel(admin, timedelta(seconds=6) if attempt == 1 else timedelta(minutes=6))
    outside.behave = answer(200, "thanks")

    await outside.received(3)
    [done] = await settled_to(tenant, subscription, "delivered")

    detail = await tenant.call("GET", f"/webhook-deliveries/{done['id']}")
    assert [(one["status"], one["response"]) for one in detail["attempts_made"]] == [
        (500, "no \N{REPLACEMENT CHARACTER} disk"), (500, "no \N{REPLACEMENT CHARACTER} disk"), (200, "thanks")
    ]  # fmt: skip
    assert detail["payload"] == outside.log[0].event
    assert {one.body for one in outside.log} == {outside.log[0].body}
    assert {one.headers["webhook-id"] for one in outside.log} == {detail["event_id"]}
    for one in outside.log:
        Webhook(subscription["secret"]).verify(one.body, one.headers)
    assert (await shown(tenant, subscription))["failing_since"] is None


async def test_what_failed_comes_again_in_the_order_of_its_time(
    tenant: Tenant, outside: Receiver, broker: Broker, admin: asyncpg.Connection
) -> None:
    subscription = await subscribe(tenant, outside.url, "message.opened")
    outside.behave = answer(503)
    await broker.publish(opened(tenant, 12))
    await outside.received(12, timeout=30)
    waiting = await settled_to(tenant, subscription, "pending", 12)
    due = [one["event_id"] for one in sorted(waiting, key=lambda one: one["next_attempt_at"])]
    outside.behave = answer(204)
    outside.log.clear()
    await travel(admin, timedelta(seconds=10))

    await outside.received(12)

    # One at a time while it fails: the first success opens it to the others, which then overtake by a few places.
    came = [event["id"] for event in outside.events()]
    assert came[0] == due[0]
    assert sorted(came) == sorted(due)
    assert all(abs(came.index(event_id) - place) < 5 for place, event_id in enumerate(due))


async def test_a_receiver_that_fails_for_days_is_disabled_with_notice_and_gets_all_by_replay(
    tenant: Tenant, outside: Receiver, broker: Broker, admin: asyncpg.Connection
) -> None:
    began = await admin.fetchval("SELECT postroad.now()")
    async with receiver() as watching:
        await subscribe(tenant, watching.url, "webhook.disabled")
        subscription = await subscribe(tenant, outside.url, "message.opened")
        outside.behave = answer(500)
        await broker.publish(opened(tenant))
        for attempt in range(1, 11):
            await outside.received(attempt)
            [last] = await settled_to(tenant, subscription, "dead" if attempt == 10 else "pending")
            assert last["attempts"] == attempt
            await travel(admin, (PAUSES[attempt - 1] if attempt < 10 else timedelta()) * (1 + JITTER))
        [notice] = await watching.received(1)

    standing = await shown(tenant, subscription)
    assert notice.event["type"] == "webhook.disabled"
    assert notice.event["data"] == {"subscription_id": subscription["id"], "url": outside.url, "reason": "failing"}
    assert (standing["enabled"], standing["disabled_reason"]) == (False, "failing")
    assert len({one.event["id"] for one in outside.log}) == 1
    path = f"/webhook-subscriptions/{subscription['id']}"
    since = {"since": began.isoformat()}
    assert (await tenant.refused("POST", f"{path}/replay", 409, json=since))["code"] == "disabled"
    outside.behave = answer(204)
    enabled = await tenant.call("PATCH", path, json={"enabled": True})
    assert (enabled["enabled"], enabled["disabled_at"], enabled["failing_since"]) == (True, None, None)

    assert await tenant.call("POST", f"{path}/replay", json=since) == {"replayed": 1, "more": False}

    await outside.received(11)
    await settled_to(tenant, subscription, "delivered")
    assert (await tenant.call("POST", f"{path}/replay", json=since))["replayed"] == 0


async def test_one_delivery_is_sent_again_when_somebody_asks(tenant: Tenant, outside: Receiver, broker: Broker) -> None:
    subscription = await subscribe(tenant, outside.url, "message.opened")
    await broker.publish(opened(tenant))
    await outside.received(1)
    [done] = await settled_to(tenant, subscription, "delivered")

    again = await tenant.call("POST", f"/webhook-deliveries/{done['id']}/retry")

    assert again["state"] == "pending"
    first, second = await outside.received(2)
    assert first.body == second.body


async def test_while_the_database_is_held_nothing_is_posted_and_all_of_it_after_the_release(
    tenant: Tenant, outside: Receiver, broker: Broker, module_database: Database
) -> None:
    """A copy of the database, for tests perhaps, must not speak to the receivers of the original."""
    subscription = await subscribe(tenant, outside.url, "message.opened")
    assert (await tenant.api.ask("POST", "/operator/restore/hold", key=OPERATOR_TOKEN)).status_code == 200
    try:
        await broker.publish(opened(tenant))
        await eventually(lambda: deliveries(tenant, subscription), timeout=15, reason="the delivery is recorded")
        service = await asyncpg.connect(module_database.dsn("postroad_sequence_api"))
        assert await service.fetch(DELIVERIES.tenants_due, UUID(int=0), 100) == []
        await service.close()
        assert outside.log == []
    finally:
        released = await tenant.api.ask(
            "POST", "/operator/restore/release", key=OPERATOR_TOKEN, json={"nothing_lost": True}
        )
    assert released.status_code == 200
    await outside.received(1)


async def test_a_receiver_that_is_gone_is_disabled_and_one_that_asks_to_wait_is_left_alone(
    tenant: Tenant, outside: Receiver, broker: Broker, admin: asyncpg.Connection
) -> None:
    async with receiver() as busy:
        gone = await subscribe(tenant, outside.url, "message.opened")
        later = await subscribe(tenant, busy.url, "message.opened")
        outside.behave, busy.behave = answer(410), answer(429, Retry_After="120")
        await broker.publish(opened(tenant))
        await settled_to(tenant, later, "pending")
        await eventually(lambda: is_disabled(tenant, gone, "gone"))
        held = await shown(tenant, later)
        asked = datetime.fromisoformat(held["held_until"]) - datetime.fromisoformat(held["failing_since"])
        assert timedelta(seconds=119) < asked < timedelta(seconds=121)
        await broker.publish(opened(tenant))
        await eventually(lambda: has_deliveries(tenant, later, 2))
        await travel(admin, timedelta(seconds=60))
        await tenant.call("POST", f"/webhook-subscriptions/{later['id']}/test")  # one round of the loop at least
        assert len([one for one in busy.log if one.event["type"] == "message.opened"]) == 1
        busy.behave = answer(204)

        await travel(admin, timedelta(seconds=90))

        await settled_to(tenant, later, "delivered", 2)
        assert len(outside.log) == 1


async def has_deliveries(tenant: Tenant, subscription: Any, count: int) -> bool:
    return len(await deliveries(tenant, subscription)) == count


async def is_disabled(tenant: Tenant, subscription: Any, reason: str) -> bool:
    return bool((await shown(tenant, subscription))["disabled_reason"] == reason)


async def test_a_receiver_that_stalls_holds_up_no_other(
    tenant: Tenant, outside: Receiver, broker: Broker, admin: asyncpg.Connection
) -> None:
    async with receiver() as stalling:
        stalled = await subscribe(tenant, stalling.url, "message.opened")
        await subscribe(tenant, outside.url, "message.opened")
        stalling.behave = stall
        await broker.publish(opened(tenant, 40))

        await outside.received(40)

        assert len(stalling.log) < 40, "five at once, and one after the first failure"
        [failed, *_] = await settled_to(tenant, stalled, "pending")
        assert failed["last_error"] == "no answer in time"
        await tenant.call("DELETE", f"/webhook-subscriptions/{stalled['id']}", expect=204)
        assert await admin.fetchval(
            "SELECT count(*) FROM sequence.webhook_deliveries WHERE subscription_id = $1", UUID(stalled["id"])
        ) == 0  # fmt: skip


async def test_a_redirect_is_not_followed_wherever_it_leads(
    tenant: Tenant, outside: Receiver, inside: Canary, broker: Broker
) -> None:
    async with receiver() as elsewhere:
        targets = [f"http://{INSIDE}:{inside.port}/", "http://169.254.169.254/latest/meta-data/", elsewhere.url]
        for status in (301, 302, 303, 307, 308):
            for target in targets:
                outside.behave = answer(status, Location=target)
                subscription = await subscribe(tenant, outside.url, "message.opened")
                result = await tenant.call("POST", f"/webhook-subscriptions/{subscription['id']}/test")
                assert result["status"] == status
                assert result["error"] == f"HTTP {status}: redirects are not followed"
                await tenant.call("DELETE", f"/webhook-subscriptions/{subscription['id']}", expect=204)
        subscription = await subscribe(tenant, outside.url, "message.opened")
        await broker.publish(opened(tenant))
        [waiting] = await settled_to(tenant, subscription, "pending")

        assert waiting["last_status"] == 308
        assert len(outside.log) == 16
        assert elsewhere.log == []
        assert inside.connections == 0


async def test_answers_are_read_in_bounds_and_what_they_say_is_kept(tenant: Tenant, outside: Receiver) -> None:
    async def flood(_: Received) -> web.StreamResponse:
        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 65536

        return web.Response(status=200, body=endless())

    subscription = await subscribe(tenant, outside.url)
    outside.behave = flood

    result = await tenant.call("POST", f"/webhook-subscriptions/{subscription['id']}/test")

    assert (result["delivered"], result["status"]) == (True, 200)
    assert result["response"] == "x" * 1000
    [received] = outside.log
    assert received.event["type"] == "webhook.test"
    Webhook(subscription["secret"]).verify(received.body, received.headers)


async def test_a_test_of_what_cannot_be_posted_says_why(
    tenant: Tenant, outside: Receiver, admin: asyncpg.Connection
) -> None:
    """Settings may allow less than when the URL was registered; a key of the key ring may be gone."""
    subscription = await subscribe(tenant, outside.url)
    spoil = "UPDATE sequence.webhook_subscriptions SET {} WHERE subscription_id = $1"
    for change, said in (
        ("secret_sealed = 'spoiled'", "the secret cannot be read: rotate it"),
        ("url = 'https://10.0.0.1/'", "the URL must have a public address"),
    ):
        await admin.execute(spoil.format(change), UUID(subscription["id"]))
        result = await tenant.call("POST", f"/webhook-subscriptions/{subscription['id']}/test")
        assert (result["delivered"], result["status"], result["error"]) == (False, None, said)
    outside.behave = answer(503, Retry_After="Mon, 01 Jan 2024 00:00:00 +99999999999999999999")
    other = await subscribe(tenant, outside.url)
    result = await tenant.call("POST", f"/webhook-subscriptions/{other['id']}/test")
    assert (result["delivered"], result["error"]) == (False, "HTTP 503")


async def test_while_secrets_rotate_both_verify_and_then_only_the_new_one(
    tenant: Tenant, outside: Receiver, admin: asyncpg.Connection
) -> None:
    subscription = await subscribe(tenant, outside.url)
    path = f"/webhook-subscriptions/{subscription['id']}"

    rotated = await tenant.call("POST", f"{path}/rotate-secret", json={"overlap_hours": 1})

    assert rotated["secret"] != subscription["secret"]
    await tenant.call("POST", f"{path}/test")
    for secret in (subscription["secret"], rotated["secret"]):
        Webhook(secret).verify(outside.log[0].body, outside.log[0].headers)
    await travel(admin, timedelta(minutes=61))
    assert (await shown(tenant, subscription))["previous_secret_until"] is None
    await tenant.call("POST", f"{path}/test")
    Webhook(rotated["secret"]).verify(outside.log[1].body, outside.log[1].headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(subscription["secret"]).verify(outside.log[1].body, outside.log[1].headers)


async def test_two_editors_of_a_subscription_lose_nothing(tenant: Tenant) -> None:
    subscription = await subscribe(tenant, PUBLIC_URLS[0])
    path, tag = f"/webhook-subscriptions/{subscription['id']}", {"If-Match": f'"{subscription["revision"]}"'}
    changed = await tenant.call("PATCH", path, json={"event_types": ["message.opened"]}, headers=tag)
    assert (changed["event_types"], changed["url"]) == (["message.opened"], PUBLIC_URLS[0])
    await tenant.refused("PATCH", path, 412, json={"description": "mine"}, headers=tag)
    assert (await shown(tenant, subscription))["description"] == ""


async def test_deliveries_are_forgotten_when_they_are_old(
    tenant: Tenant, outside: Receiver, broker: Broker, admin: asyncpg.Connection, module_database: Database
) -> None:
    subscription = await subscribe(tenant, outside.url, "message.opened")
    await broker.publish(opened(tenant))
    await settled_to(tenant, subscription, "delivered")
    await travel(admin, timedelta(days=31))
    await broker.publish(opened(tenant))
    await outside.received(2)
    pool = await create_pool(module_database.dsn("postroad_sequence_api"), application_name="old", max_size=1)
    while await forget_old_deliveries(pool, keep=timedelta(days=30)):
        pass
    await pool.close()
    assert len(await deliveries(tenant, subscription)) == 1


async def test_a_url_that_leads_inside_is_refused_at_registration(
    module_database: Database, module_vhost: str, admin: asyncpg.Connection, tmp_path: Path
) -> None:
    """By a process with the settings of production, which trusts no network."""
    strict = start(module_database, module_vhost, tmp_path / "log")
    try:
        async with http_client() as http:
            tenant = await new_tenant(await api_of(strict, http, module_vhost), admin)
            made = await subscribe(tenant, PUBLIC_URLS[0])
            for url in PRIVATE_URLS + MALFORMED_URLS:
                body = {"url": url.format(port=8443), "event_types": ["*"]}
                problem = await tenant.refused("POST", "/webhook-subscriptions", 422, json=body)
                assert problem["field"] == "url", url
            path = f"/webhook-subscriptions/{made['id']}"
            await tenant.refused("PATCH", path, 422, json={"url": "https://localhost/"})
            assert (await shown(tenant, made))["url"] == PUBLIC_URLS[0]
            taken = [(await subscribe(tenant, url))["url"] for url in PUBLIC_URLS]
            assert taken[4] == "https://xn--bcher-kva.nowhere.invalid/hook"
    finally:
        await strict.kill()


async def test_a_name_that_is_rebound_to_a_private_address_is_not_dialed(
    tenant: Tenant, outside: Receiver, inside: Canary, broker: Broker, admin: asyncpg.Connection, names: Names
) -> None:
    """A name server that turns on a whole process after the registration, and comes back to its senses."""
    names.say({"rebind.example.com": OUTSIDE})
    subscription = await subscribe(tenant, f"http://rebind.example.com:{outside.port}/", "message.opened")
    trap = await subscribe(tenant, f"http://rebind.example.com:{inside.port}/", "message.opened")
    names.say({"rebind.example.com": INSIDE})
    await broker.publish(opened(tenant))
    [waiting] = await settled_to(tenant, subscription, "pending")
    await settled_to(tenant, trap, "pending")
    assert waiting["last_error"] == "the host has no public address"
    assert outside.log == []
    names.say({"rebind.example.com": OUTSIDE})
    await travel(admin, timedelta(seconds=10))

    await outside.received(1)

    assert inside.connections == 0


async def test_while_a_name_server_does_not_answer_requests_and_deliveries_go_on(
    tenant: Tenant, outside: Receiver, broker: Broker, names: Names
) -> None:
    """More registrations than the process has connections, or threads for them, wait for a tenant's name server."""
    url = f"http://silent.example.com:{outside.port}/"
    names.say({"hooks.example.com": OUTSIDE, "silent.example.com": None})
    standing = await subscribe(tenant, f"http://hooks.example.com:{outside.port}/", "message.opened")
    path, tag = f"/webhook-subscriptions/{standing['id']}", {"If-Match": f'"{standing["revision"]}"'}
    async with asyncio.TaskGroup() as waiting:
        tasks = [waiting.create_task(subscribe(tenant, url, "webhook.disabled")) for _ in range(CONNECTIONS + 7)]
        edit = waiting.create_task(tenant.call("PATCH", path, json={"url": url}, headers=tag))
        try:
            await eventually(lambda: names.asked() >= CONNECTIONS)

            assert (await shown(tenant, standing))["url"] == standing["url"]
            await broker.publish(opened(tenant))
            await outside.received(1)

            assert not any(task.done() for task in [*tasks, edit])
        finally:
            names.say({"hooks.example.com": OUTSIDE, "silent.example.com": OUTSIDE})
    assert (edit.result()["url"], edit.result()["revision"]) == (url, standing["revision"] + 1)
    await tenant.refused("PATCH", path, 412, json={"url": url}, headers=tag)


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("webhooks.recorded", marks=pytest.mark.prove),
        pytest.param("webhooks.claimed", marks=pytest.mark.prove),
        "webhooks.answered",
    ],
)
async def test_a_process_killed_at_any_point_leaves_no_event_undelivered(
    database: Database, vhost: str, tmp_path: Path, outside: Receiver, point: str
) -> None:
    doomed = start(database, vhost, tmp_path / "doomed", **WORKING, POSTROAD_FAULT_KILL=f"{point}:1")
    admin = await asyncpg.connect(database.admin_dsn)
    running = [doomed]
    try:
        async with http_client() as http, await Broker.connect(vhost, name="killing") as broker:
            tenant = await new_tenant(await api_of(doomed, http, vhost), admin)
            subscription = await subscribe(tenant, outside.url, "message.opened")
            message = opened(tenant, 5)
            await broker.publish(message)
            assert await doomed.wait(timeout=20) == -9
            running.append(start(database, vhost, tmp_path / "next", **WORKING))
            tenant.api = await api_of(running[-1], http, vhost)
            await travel(admin, LEASE)

            done = await settled_to(tenant, subscription, "delivered", 5)

        expected = {str(item.event_id) for item in message.items}
        assert {event["id"] for event in outside.events()} == expected
        assert {one["event_id"] for one in done} == expected
        if point != "webhooks.answered":
            assert len(outside.log) == 5
    finally:
        await admin.close()
        for one in running:
            await one.kill()
