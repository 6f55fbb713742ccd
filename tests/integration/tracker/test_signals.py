"""What the tracker tells the others, through the outbox and the broker."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from postroad_common.amqp import QUEUES, Broker, Consumer, Delivery
from postroad_common.contracts import (
    ContactBouncedV1,
    ContactClickedV1,
    ContactComplainedV1,
    ContactOpenedV1,
    ContactRepliedV1,
    ContactUnsubscribedV1,
    Message,
    MessagesDeliveredV1,
    TrackingRecordedV1,
)
from postroad_common.contracts.tokens import TokenKind
from postroad_stack.eventually import eventually

from .town import Mail, Tenant, Town


@pytest_asyncio.fixture
async def heard(tracker: object, town_vhost: str) -> AsyncIterator[list[Message]]:
    """What arrives at the scheduler's, the sender's and sequence-api's queues."""
    messages: list[Message] = []

    async def hear(delivery: Delivery) -> None:
        messages.append(delivery.message)

    async with await Broker.connect(town_vhost, name="listener") as broker:
        consumers = [
            Consumer(broker, QUEUES[name], hear, prefetch=10, concurrency=1)
            for name in ("scheduler.signals", "sender.evidence", "sequence-api.webhooks")
        ]
        async with asyncio.TaskGroup() as group:
            for consumer in consumers:
                group.create_task(consumer.run())
            yield messages
            for consumer in consumers:
                await consumer.stop()


def of(heard: list[Message], contract: type[Message], tenant: Tenant) -> list[Any]:
    return [
        item
        for message in heard
        if type(message) is contract and message.tenant_id == tenant.tenant_id
        for item in message.items  # type: ignore[attr-defined] # these contracts all have items
    ]


async def make(town: Town, tenant: Tenant, mail: Mail, what: str) -> None:
    """Let something happen to a mail."""
    event = tenant.sendgrid.event
    known = {"email": mail.email, "ref": mail.ref}
    match what:
        case "reply":
            payload = tenant.postmark.reply(email=mail.email, in_reply_to=mail.rfc_message_id, text="Yes.")
            await town.post(tenant.postmark_path, tenant.postmark.request(payload))
        case "click":
            await town.http.get(f"/c/{town.token(TokenKind.CLICK, mail, url='https://shop.example/x')}")
        case "open":
            await town.http.get(f"/o/{town.token(TokenKind.OPEN, mail)}")
        case "unsubscribe":
            await town.http.post(
                f"/u/{town.token(TokenKind.UNSUBSCRIBE, mail)}", data={"List-Unsubscribe": "One-Click"}
            )
        case "bounce":
            await town.post(tenant.sendgrid_path, tenant.sendgrid.request([event("bounce", **known)]))
        case _:
            await town.post(tenant.sendgrid_path, tenant.sendgrid.request([event("spamreport", **known)]))


@pytest.mark.parametrize(
    ("what", "contract"),
    [
        ("reply", ContactRepliedV1),
        ("bounce", ContactBouncedV1),
        ("complaint", ContactComplainedV1),
        ("unsubscribe", ContactUnsubscribedV1),
        ("click", ContactClickedV1),
        ("open", ContactOpenedV1),
    ],
)
async def test_scheduler_hears_once_whom_an_event_is_about(
    town: Town, heard: list[Message], what: str, contract: type[Message]
) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    await make(town, mill, mail, what)
    (signal,) = await eventually(lambda: of(heard, contract, mill))
    assert (signal.enrollment_id, signal.contact_id) == (mail.enrollment_id, mail.contact_id)
    assert signal.message_id == mail.message_id
    (event,) = await town.events(mill.tenant_id)
    assert (signal.event_id, signal.occurred_at) == (event["event_id"], event["occurred_at"])
    assert signal.bounce_type == ("hard" if what == "bounce" else None)
    assert await eventually(lambda: emptied(town, mill.tenant_id))


async def emptied(town: Town, tenant_id: UUID) -> bool:
    return await town.count("tracking.outbox", tenant_id) == 0


async def test_sender_gets_evidence_about_an_unknown_and_none_about_what_it_knows(
    town: Town, heard: list[Message]
) -> None:
    mill = await town.tenant()
    known, unknown = await town.mail(mill), await town.mail(mill, "unknown")
    events = [mill.sendgrid.event("delivered", email=mail.email, ref=mail.ref) for mail in (known, unknown)]
    await town.post(mill.sendgrid_path, mill.sendgrid.request(events))
    (evidence,) = await eventually(lambda: of(heard, MessagesDeliveredV1, mill))
    assert (evidence.message_id, evidence.kind) == (unknown.message_id, "delivered")


async def test_machine_open_signals_nothing(town: Town, heard: list[Message]) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    machine = mill.sendgrid.event("open", email=mail.email, ref=mail.ref, sg_machine_open=True)
    person = mill.sendgrid.event("open", email=mail.email, ref=mail.ref, sg_machine_open=False)
    await town.post(mill.sendgrid_path, mill.sendgrid.request([machine]))
    await town.post(mill.sendgrid_path, mill.sendgrid.request([person]))
    (signal,) = await eventually(lambda: of(heard, ContactOpenedV1, mill))
    events = await town.events(mill.tenant_id)
    assert [event["machine"] for event in events] == [True, False]
    assert signal.event_id == events[1]["event_id"]


async def test_sequence_api_hears_of_every_event_about_somebody_also_when_it_finds_its_message_late(
    town: Town, heard: list[Message]
) -> None:
    mill = await town.tenant()
    mail, unsettled = await town.mail(mill), await town.mail(mill, "transmitting")
    event = mill.sendgrid.event
    known = {"email": mail.email, "ref": mail.ref}
    early = event("delivered", email="", ref=None, sg_message_id="later.y")
    nobody = event("delivered", email="nobody@nowhere.example", ref=None, sg_message_id="never.y")
    machine = event("open", sg_machine_open=True, **known)
    await town.post(mill.sendgrid_path, mill.sendgrid.request([event("delivered", **known), machine, early, nobody]))
    await eventually(lambda: len(of(heard, TrackingRecordedV1, mill)) == 2)
    await town.settle(unsettled, provider_message_id="later")

    await eventually(lambda: len(of(heard, TrackingRecordedV1, mill)) == 3)

    told = [(one.type, one.message_id, one.machine) for one in of(heard, TrackingRecordedV1, mill)]
    assert sorted(told[:2]) == [("delivered", mail.message_id, False), ("opened", mail.message_id, True)]
    assert told[2] == ("delivered", unsettled.message_id, False)
    stored = {event["event_id"]: event for event in await town.events(mill.tenant_id)}
    for one in of(heard, TrackingRecordedV1, mill):
        assert one.occurred_at == stored[one.event_id]["occurred_at"]
        assert (one.contact_id is None, one.sequence_id is None, one.step_key is None) == (False, False, False)
