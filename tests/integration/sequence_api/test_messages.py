"""The ledger, as it may be read."""

import json

import pytest

from .house import SOURCE, Listener, Tenant

SAID = [{"kind": "server_answered", "code": 550, "status": "5.1.1", "text": "no such user"}]


async def test_a_message_shows_every_attempt_with_its_reasons_in_words(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    message_id = await one.message("refused", reason=json.dumps(SAID), reply_code=550, bounce_type="hard", attempt=2)
    await one.attempt("deferred", attempt=1, reply_code=451, reply_text="later")
    await one.attempt("refused", attempt=2, reason=json.dumps(SAID), reply_code=550)
    shown = await tenant.call("GET", f"/messages/{message_id}")
    assert (shown["state"], shown["reply_code"], shown["bounce_type"]) == ("refused", 550, "hard")
    assert shown["recipient"] == one.contact["email"]
    assert [(attempt["attempt"], attempt["outcome"]) for attempt in shown["attempts"]] == [
        (1, "deferred"),
        (2, "refused"),
    ]
    assert shown["reasons"] == shown["attempts"][1]["reasons"]
    assert shown["reasons"] == ["The mail server answered: 550 5.1.1 no such user"]


async def test_messages_are_listed_by_what_they_belong_to_page_by_page(tenant: Tenant) -> None:
    first, second, third = [await tenant.enrolled() for _ in range(3)]
    ids = [str(await one.message("accepted")) for one in (first, second)]
    ids.insert(1, str(await first.message("held", step_key="step-2", step_number=2)))
    ids.append(str(await third.message("unknown")))

    async def listed(**wanted: str) -> list[str]:
        seen: list[str] = []
        while True:
            page = await tenant.call("GET", "/messages", params={"limit": 2, **wanted})
            seen += [message["id"] for message in page["items"]]
            if page["next"] is None:
                return seen
            wanted = {**wanted, "after": page["next"]}

    assert await listed() == ids
    assert await listed(enrollment_id=str(first.enrollment_id)) == ids[:2]
    assert await listed(sequence_id=second.sequence["id"]) == [ids[2]]
    assert await listed(contact_id=third.contact["id"]) == [ids[3]]
    assert await listed(state="accepted") == [ids[0], ids[2]]


async def test_a_message_is_downloaded_as_it_was_handed_over_last(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    message_id = await one.message("accepted", attempt=2)
    await one.source(message_id, b"Subject: first\r\n\r\n", attempt=1)
    await one.source(message_id, b"Subject: Gr\xfc\xdfe\r\n\r\nraw \x00 bytes\r\n", attempt=2)
    answer = await tenant.ask("GET", f"/messages/{message_id}/source")
    assert answer.content == b"Subject: Gr\xfc\xdfe\r\n\r\nraw \x00 bytes\r\n"
    assert answer.headers["Content-Type"] == "message/rfc822"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{message_id}.eml"'


async def test_what_was_not_sent_or_not_kept_has_no_source_and_says_so(tenant: Tenant) -> None:
    gone, stopped = await tenant.enrolled(), await tenant.enrolled()
    never_kept = await gone.message("accepted")
    not_sent = await stopped.message("held")  # claimed and rendered, and then somebody stopped it
    await stopped.source(not_sent)
    for message_id, state in ((never_kept, "accepted"), (not_sent, "held")):
        problem = await tenant.refused("GET", f"/messages/{message_id}/source", 404)
        assert (problem["code"], problem["state"]) == ("source_not_kept", state)


async def test_a_source_holds_links_of_its_recipient_and_is_not_for_viewers(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    message_id = await one.message("accepted")
    await one.source(message_id)
    path = f"/messages/{message_id}/source"
    await tenant.refused("GET", path, 403, key=await tenant.key_of("viewer"))
    assert (await tenant.ask("GET", path, key=await tenant.key_of("editor"))).content == SOURCE


async def test_somebody_who_has_looked_settles_an_unknown_message(tenant: Tenant, outbox: Listener) -> None:
    one = await tenant.enrolled()
    message_id = await one.message("unknown")
    body = {"outcome": "not_sent", "because": "no such message in the log of mail.example"}
    answer = await tenant.call("POST", f"/messages/{message_id}/settle", json=body, expect=202)
    [said] = await outbox.received("messages.settled_by_hand.v1", 1)
    key = (await tenant.call("GET", "/me"))["api_key"]["id"]
    assert (answer["outcome"], answer["because"], answer["requested_by"]) == (*body.values(), key)
    [item] = said["items"]
    assert {**body, "message_id": str(message_id), "api_key_id": key}.items() <= item.items()


@pytest.mark.parametrize("state", ["accepted", "refused", "cancelled", "transmitting", "held"])
async def test_only_a_message_of_unknown_outcome_is_settled_by_hand(tenant: Tenant, state: str) -> None:
    message_id = await (await tenant.enrolled()).message(state)
    body = {"outcome": "sent", "because": "its log"}
    problem = await tenant.refused("POST", f"/messages/{message_id}/settle", 409, json=body)
    assert (problem["code"], problem["state"]) == ("not_unknown", state)
