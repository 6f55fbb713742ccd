"""Finding the message of an event, also late; and never across the wall."""

from uuid import uuid4

from postroad_common.ids import new_id, pack_ref
from postroad_stack.eventually import eventually

from .town import Tenant, Town

PROVIDER_ID = "14c5d75ce93"


async def signalled(town: Town, tenant: Tenant) -> list[str]:
    rows = await town.admin.fetch("SELECT type FROM tracking.outbox WHERE tenant_id = $1", tenant.tenant_id)
    return [row["type"] for row in rows]


async def test_event_that_came_before_its_provider_id_finds_its_message_and_stops_then(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill, "transmitting")
    event = mill.sendgrid.event("spamreport", email="", ref=None, sg_message_id=f"{PROVIDER_ID}.filter1.2.3")
    answer = await town.post(mill.sendgrid_path, mill.sendgrid.request([event]))
    assert answer.json()["accepted"] == 1
    (stored,) = await town.events(mill.tenant_id)
    assert stored["message_id"] is None
    assert await town.stops(mill.tenant_id) == []

    await town.settle(mail, provider_message_id=PROVIDER_ID)
    (stop,) = await eventually(lambda: town.stops(mill.tenant_id))
    assert (stop["kind"], stop["enrollment_id"], stop["email"]) == ("complained", mail.enrollment_id, mail.email)
    (stored,) = await town.events(mill.tenant_id)
    assert (stored["message_id"], stored["enrollment_id"]) == (mail.message_id, mail.enrollment_id)

    async def acknowledged() -> bool:
        (stop,) = await town.stops(mill.tenant_id)
        return stop["acknowledged_at"] is not None

    assert await eventually(acknowledged)


async def test_late_match_happens_once(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill, "transmitting")
    events = [
        mill.sendgrid.event("bounce", email="", ref=None, sg_message_id=f"{PROVIDER_ID}.x", type="bounce")
        for _ in range(3)
    ]
    request = mill.sendgrid.request(events)
    await town.post(mill.sendgrid_path, request)
    await town.settle(mail, provider_message_id=PROVIDER_ID)

    async def all_matched() -> bool:
        return await town.count("tracking.matches", mill.tenant_id) == 3

    assert await eventually(all_matched)
    await town.post(mill.sendgrid_path, request)
    marker = await town.mail(mill, provider_message_id="marker")
    late = mill.sendgrid.event("spamreport", email="", ref=None, sg_message_id="marker.y")
    await town.post(mill.sendgrid_path, mill.sendgrid.request([late]))
    assert marker.message_id in {event["message_id"] for event in await town.events(mill.tenant_id)}
    assert len(await town.stops(mill.tenant_id)) == 4


async def test_event_with_a_provider_id_that_is_known_is_matched_at_once(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill, provider_message_id=PROVIDER_ID)
    event = mill.sendgrid.event("open", email=mail.email, ref=None, sg_message_id=f"{PROVIDER_ID}.filter1")
    await town.post(mill.sendgrid_path, mill.sendgrid.request([event]))
    (stored,) = await town.events(mill.tenant_id)
    assert stored["message_id"] == mail.message_id


async def test_our_own_reference_wins_over_the_providers_id(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    await town.mail(mill, provider_message_id=PROVIDER_ID)
    event = mill.sendgrid.event("open", email=mail.email, ref=mail.ref, sg_message_id=f"{PROVIDER_ID}.filter1")
    await town.post(mill.sendgrid_path, mill.sendgrid.request([event]))
    (stored,) = await town.events(mill.tenant_id)
    assert stored["message_id"] == mail.message_id


async def test_reply_in_a_long_thread_finds_the_message_that_it_answers(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    payload = mill.postmark.reply(
        email=mail.email,
        in_reply_to="<their-own-answer@folk.example>",
        text="And?",
        headers={"References": f"<x@y.example> {mail.rfc_message_id} <their-own-answer@folk.example>"},
    )
    answer = await town.post(mill.postmark_path, mill.postmark.request(payload))
    assert answer.json()["accepted"] == 1
    (stop,) = await town.stops(mill.tenant_id)
    assert (stop["kind"], stop["enrollment_id"]) == ("replied", mail.enrollment_id)


async def test_mail_from_a_contact_that_answers_nothing_of_ours_is_kept_and_stops_nothing(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    payload = mill.postmark.reply(email=mail.email, in_reply_to="<hello@elsewhere.example>", text="A new subject")
    await town.post(mill.postmark_path, mill.postmark.request(payload))
    (stored,) = await town.events(mill.tenant_id)
    assert (stored["type"], stored["message_id"], stored["contact_id"]) == ("replied", None, None)
    assert await town.stops(mill.tenant_id) == []


async def test_other_tenants_reference_is_nobodys_here_and_leaves_no_trace_there(town: Town) -> None:
    mill, other = await town.tenant(), await town.tenant("Other")
    mail = await town.mail(mill, "transmitting", provider_message_id=PROVIDER_ID)
    by_reference = other.sendgrid.event("spamreport", email=mail.email, ref=mail.ref)
    by_provider_id = other.sendgrid.event("bounce", email=mail.email, ref=mail.ref, sg_message_id=f"{PROVIDER_ID}.x")
    answer = await town.post(other.sendgrid_path, other.sendgrid.request([by_reference, by_provider_id]))
    assert (answer.status_code, answer.json()["on_the_wire"]) == (200, [])
    payload = other.postmark.reply(email=mail.email, in_reply_to=mail.rfc_message_id, text="Yes.")
    assert (await town.post(other.postmark_path, other.postmark.request(payload))).json()["on_the_wire"] == []
    unbound = other.sendgrid.event("open", email="", ref=None, sg_message_id=f"{PROVIDER_ID}.x")
    await town.post(other.sendgrid_path, other.sendgrid.request([unbound]))

    stored = await town.events(other.tenant_id)
    assert len(stored) == 4
    assert {(event["message_id"], event["enrollment_id"], event["contact_id"]) for event in stored} == {
        (None, None, None)
    }
    assert await town.events(mill.tenant_id) == []
    assert await town.stops(mill.tenant_id) == await town.stops(other.tenant_id) == []
    assert await signalled(town, other) == []

    control = await town.post(
        mill.sendgrid_path, mill.sendgrid.request([mill.sendgrid.event("spamreport", email=mail.email, ref=mail.ref)])
    )
    assert control.json()["on_the_wire"] == [str(mail.message_id)], "the very same event through its own source"


async def test_other_tenants_credentials_do_not_open_a_source(town: Town) -> None:
    mill, other = await town.tenant(), await town.tenant("Other")
    mail = await town.mail(mill)
    signed = other.sendgrid.request([other.sendgrid.event("open", email=mail.email, ref=mail.ref)])
    assert (await town.post(mill.sendgrid_path, signed)).status_code == 403
    logged_in = other.postmark.request(other.postmark.bounce(email=mail.email, ref=mail.ref))
    assert (await town.post(mill.postmark_path, logged_in)).status_code == 403
    assert await town.events(mill.tenant_id) == []


async def test_reference_to_a_message_that_is_not_in_the_ledger_is_kept_unmatched(town: Town) -> None:
    mill = await town.tenant()
    event = mill.sendgrid.event("open", email="", ref=pack_ref(mill.tenant_id, uuid4()))
    await town.post(mill.sendgrid_path, mill.sendgrid.request([event]))
    (stored,) = await town.events(mill.tenant_id)
    assert stored["message_id"] is None


OLD_EVENT = (
    "INSERT INTO tracking.events (tenant_id, event_id, received_at, occurred_at, type, source, provider_message_id)"
    " VALUES ($1, gen_random_uuid(), now() - $2::text::interval, now(), 'complained', 'sendgrid', $3)"
)


async def test_event_of_hours_ago_still_finds_its_message_behind_many_that_never_will(town: Town) -> None:
    for _ in range(120):
        await town.admin.execute(OLD_EVENT, new_id(), "1 hour", "nobody's")
    mill = await town.tenant()
    mail = await town.mail(mill, provider_message_id="noted-late")
    await town.admin.execute(OLD_EVENT, mill.tenant_id, "20 hours", "noted-late")
    (stop,) = await eventually(lambda: town.stops(mill.tenant_id))
    assert (stop["kind"], stop["enrollment_id"]) == ("complained", mail.enrollment_id)


async def test_event_beyond_the_horizon_is_left_alone(town: Town) -> None:
    mill = await town.tenant()
    for age in ("30 hours", "1 hour"):
        await town.mail(mill, provider_message_id=f"id {age}")
        await town.admin.execute(OLD_EVENT, mill.tenant_id, age, f"id {age}")
    await eventually(lambda: town.stops(mill.tenant_id))
    assert await town.count("tracking.matches", mill.tenant_id) == 1
