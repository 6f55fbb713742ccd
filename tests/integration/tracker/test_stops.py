"""Stops: committed, then what is on the wire is waited for or listed, and only then answered."""

import asyncio
import time
from typing import Any
from uuid import UUID

import pytest

from postroad_stack.eventually import eventually
from postroad_stack.fake_esps import WebhookRequest

from .town import Mail, Tenant, Town


def complaint(tenant: Tenant, mail: Mail) -> WebhookRequest:
    return tenant.sendgrid.request([tenant.sendgrid.event("spamreport", email=mail.email, ref=mail.ref)])


def reply(tenant: Tenant, mail: Mail, **fields: Any) -> WebhookRequest:
    payload = tenant.postmark.reply(email=mail.email, in_reply_to=mail.rfc_message_id, text="Yes.")
    return tenant.postmark.request(payload | fields)


async def stop_of(town: Town, tenant: Tenant) -> dict[str, Any]:
    (stop,) = await town.stops(tenant.tenant_id)
    return dict(stop)


async def test_message_still_transmitting_is_listed_after_a_bounded_wait(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    second = await town.mail(
        mill,
        "transmitting",
        contact=(mail.contact_id, mail.email),
        enrollment_id=mail.enrollment_id,
        step_key="two",
    )
    started = time.monotonic()
    answer = await town.post(mill.sendgrid_path, complaint(mill, mail))
    assert 0.9 < time.monotonic() - started < 3
    assert answer.json()["on_the_wire"] == [str(second.message_id)]
    stop = await stop_of(town, mill)
    assert stop["acknowledged_at"] is not None
    assert stop["on_the_wire"] == [second.message_id]


async def test_answer_waits_for_the_wire_to_drain_and_then_lists_nothing(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill, "transmitting")
    answering = asyncio.create_task(town.post(mill.sendgrid_path, complaint(mill, mail)))
    await eventually(lambda: town.stops(mill.tenant_id))
    assert not answering.done()
    await town.settle(mail)
    answer = await answering
    assert answer.json()["on_the_wire"] == []
    stop = await stop_of(town, mill)
    assert stop["on_the_wire"] == []
    settled_at = "SELECT settled_at FROM delivery.messages WHERE message_id = $1"
    assert stop["acknowledged_at"] >= await town.admin.fetchval(settled_at, mail.message_id)


async def test_nothing_on_the_wire_is_answered_at_once(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    started = time.monotonic()
    await town.post(mill.sendgrid_path, complaint(mill, mail))
    assert time.monotonic() - started < 0.9
    assert (await stop_of(town, mill))["acknowledged_at"] is not None


async def test_unknown_that_a_suspended_sender_may_hold_is_listed_and_an_old_one_is_not(town: Town) -> None:
    mill = await town.tenant()
    young, old = await town.mail(mill, "unknown"), await town.mail(mill, "unknown", settled_ago="1 day")
    assert (await town.post(mill.sendgrid_path, complaint(mill, young))).json()["on_the_wire"] == [
        str(young.message_id)
    ]
    assert (await town.post(mill.sendgrid_path, complaint(mill, old))).json()["on_the_wire"] == []


async def test_what_is_or_may_be_on_its_way_to_the_same_address_is_listed_whosever_it_is(town: Town) -> None:
    mill = await town.tenant()
    mail, other = await town.mail(mill), await town.mail(mill)
    unknown = await town.mail(mill, "unknown", contact=(other.contact_id, mail.email))
    answer = await town.post(mill.sendgrid_path, complaint(mill, mail))
    assert answer.json()["on_the_wire"] == [str(unknown.message_id)]


async def test_reply_stops_its_enrollment_and_no_other(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    await town.mail(mill, "transmitting", contact=(mail.contact_id, mail.email))
    answer = await town.post(mill.postmark_path, reply(mill, mail))
    assert answer.json() == {"accepted": 1, "duplicates": 0, "rejected": [], "ignored": 0, "on_the_wire": []}
    stop = await stop_of(town, mill)
    assert (stop["kind"], stop["enrollment_id"], stop["email"]) == ("replied", mail.enrollment_id, None)


async def test_address_is_stopped_in_all_its_enrollments(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    other = await town.mail(mill, "transmitting", contact=(mail.contact_id, mail.email))
    answer = await town.post(mill.sendgrid_path, complaint(mill, mail))
    assert answer.json()["on_the_wire"] == [str(other.message_id)]
    stop = await stop_of(town, mill)
    assert (stop["kind"], stop["email"], stop["contact_id"]) == ("complained", mail.email, mail.contact_id)


@pytest.mark.parametrize("fields", [{}, {"Subject": "Automatic reply: away"}])
async def test_automatic_reply_and_soft_bounce_stop_nothing(town: Town, fields: dict[str, str]) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill, "transmitting")
    request = (
        reply(mill, mail, **fields)
        if fields
        else mill.postmark.request(mill.postmark.bounce(email=mail.email, ref=mail.ref, kind="SoftBounce"))
    )
    answer = await town.post(mill.postmark_path, request)
    assert answer.json()["accepted"] == 1
    assert await town.stops(mill.tenant_id) == []
    (event,) = await town.events(mill.tenant_id)
    assert event["message_id"] == mail.message_id


async def test_hard_bounce_stops_enrollment_and_address(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    await town.post(mill.postmark_path, mill.postmark.request(mill.postmark.bounce(email=mail.email, ref=mail.ref)))
    stop = await stop_of(town, mill)
    assert (stop["kind"], stop["enrollment_id"], stop["email"]) == ("bounced", mail.enrollment_id, mail.email)


async def test_complaint_about_mail_that_we_did_not_send_still_stops_the_address(town: Town) -> None:
    mill = await town.tenant()
    contact_id, email = await town.contact(mill)
    event = mill.sendgrid.event("spamreport", email=email.upper(), ref=None)
    await town.post(mill.sendgrid_path, mill.sendgrid.request([event]))
    stop = await stop_of(town, mill)
    assert (stop["enrollment_id"], stop["contact_id"], stop["email"]) == (None, contact_id, email)


async def test_delivery_that_repeats_a_stop_gets_the_answer_of_the_first(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill, "transmitting")
    request = complaint(mill, mail)
    first = await town.post(mill.sendgrid_path, request)
    await town.settle(mail)
    again = await town.post(mill.sendgrid_path, request)
    assert again.json()["duplicates"] == 1
    assert again.json()["on_the_wire"] == first.json()["on_the_wire"] == [str(mail.message_id)]
    assert len(await town.stops(mill.tenant_id)) == 1


async def test_many_stops_at_once_are_each_answered_with_their_own_messages(town: Town) -> None:
    mill = await town.tenant()
    mails = [await town.mail(mill, "transmitting") for _ in range(40)]
    answers = await asyncio.gather(*(town.post(mill.sendgrid_path, complaint(mill, mail)) for mail in mails))
    listed = [[UUID(id_) for id_ in answer.json()["on_the_wire"]] for answer in answers]
    assert listed == [[mail.message_id] for mail in mails]
    assert all(stop["acknowledged_at"] for stop in await town.stops(mill.tenant_id))
