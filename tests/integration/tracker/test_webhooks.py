"""Webhooks: what is stored, once, and what the answer says."""

from postroad_stack.eventually import eventually

from .town import Town


async def test_webhook_is_stored_with_its_message_before_it_is_answered(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    event = mill.sendgrid.event("delivered", email=mail.email, ref=mail.ref, response="250 OK")
    answer = await town.post(mill.sendgrid_path, mill.sendgrid.request([event]))
    assert answer.status_code == 200
    assert answer.json() == {"accepted": 1, "duplicates": 0, "rejected": [], "ignored": 0, "on_the_wire": []}
    (stored,) = await town.events(mill.tenant_id)
    assert (stored["type"], stored["message_id"]) == ("delivered", mail.message_id)
    assert (stored["enrollment_id"], stored["contact_id"]) == (mail.enrollment_id, mail.contact_id)
    assert await town.count("tracking.raw_requests", mill.tenant_id) == 1
    assert await eventually(lambda: True)
