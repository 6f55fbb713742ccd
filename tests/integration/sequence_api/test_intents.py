"""What was asked of sequences, enrollments, senders and addresses: by whom, when it held, what was on the wire."""

from .house import Tenant


async def test_an_intent_says_who_asked_when_it_held_and_what_was_on_the_wire(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    message_id = await one.message("transmitting")
    editor = await tenant.call("POST", "/api-keys", json={"name": "ed", "role": "editor"}, expect=201)
    await tenant.call("POST", f"{one.path}/pause", key=editor["key"])
    await tenant.call("POST", f"{one.path}/resume")
    paused, resumed = (await tenant.call("GET", "/intents"))["items"]
    assert (paused["intent"], resumed["intent"]) == ("pause", "run")
    assert (paused["enrollment_id"], paused["sequence_id"]) == (str(one.enrollment_id), one.sequence["id"])
    assert paused["requested_by"] == editor["id"]
    assert resumed["requested_by"] not in {None, editor["id"]}
    assert paused["on_the_wire"] == [str(message_id)]
    assert paused["requested_at"] <= paused["acknowledged_at"]
    assert await tenant.call("GET", f"/intents/{paused['id']}") == paused


async def test_intents_are_listed_by_their_subject_page_by_page(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    await tenant.call("POST", f"/sequences/{one.sequence['id']}/pause")
    await tenant.call("POST", f"{one.path}/stop")
    await tenant.call("POST", f"/senders/{one.sequence['sender_id']}/pause")
    await tenant.call("POST", "/suppressions", json={"email": one.contact["email"]}, expect=201)

    async def listed(**wanted: str) -> list[str]:
        seen: list[str] = []
        while True:
            page = await tenant.call("GET", "/intents", params={"limit": 1, **wanted})
            seen += [intent["intent"] for intent in page["items"]]
            if page["next"] is None:
                return seen
            wanted = {**wanted, "after": page["next"]}

    assert await listed() == ["pause", "stop", "pause", "stop"]
    assert await listed(sequence_id=one.sequence["id"]) == ["pause", "stop"]
    assert await listed(enrollment_id=str(one.enrollment_id)) == ["stop"]
    assert await listed(sender_id=one.sequence["sender_id"]) == ["pause"]
    assert await listed(email=one.contact["email"].upper()) == ["stop"]
