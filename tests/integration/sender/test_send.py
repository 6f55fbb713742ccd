"""One message from the queue to the mail server, the ledger and back."""

import zlib
from collections import Counter

import pytest

from postroad_common.contracts import StepDue
from postroad_common.contracts.tokens import open_token
from postroad_common.ids import pack_ref
from postroad_common.sealing import KeyRing
from postroad_stack import eventually
from postroad_stack.smtp_server import Behaviour, SmtpServer, drop_after_dot
from tests.integration.sender.office import (
    SECRET_KEYS,
    TRACKING_URL,
    Office,
    Post,
    parsed,
    recipients,
    running_sender,
    step,
)


async def test_due_step_is_sent_recorded_and_settled(office: Office, post: Post, smtp: SmtpServer) -> None:
    item = await office.enroll("zoe@recipient.example")
    async with running_sender(office):
        await post.send(item)
        settled = await post.answer(item)
    assert settled.outcome == "accepted"
    assert recipients(smtp) == ["zoe@recipient.example"]
    row = await office.row(item)
    assert row is not None
    assert (row["state"], row["attempt"], row["subject"]) == ("accepted", 1, "Welcome Zoë")
    assert row["transmitting_at"] < row["gated_at"] < row["settled_at"]
    assert await office.attempts(item) == ["accepted"]
    assert smtp.accepted()[0].message_id == f"<{office.message_id(item).hex}@post.example>" == row["rfc_message_id"]


async def test_mail_carries_tracking_unsubscribe_and_both_bodies(office: Office, post: Post, smtp: SmtpServer) -> None:
    item = await office.enroll("zoe@recipient.example")
    async with running_sender(office):
        await post.send(item)
        await post.answer(item)
    message = parsed(smtp.accepted()[0].content())
    assert message["From"] == "Jürgen Post <hello@post.example>"
    assert message["To"] == "Zoë Łoś <zoe@recipient.example>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    unsubscribe = message["List-Unsubscribe"].strip("<>")
    text, html = (part.get_content() for part in message.iter_parts())
    assert unsubscribe in text
    assert unsubscribe in html
    assert f'<img src="{TRACKING_URL}/o/' in html
    keyring = KeyRing.parse(SECRET_KEYS)
    token = open_token(keyring, "unsubscribe", unsubscribe.removeprefix(f"{TRACKING_URL}/u/"))
    assert (token.tenant_id, token.message_id) == (office.tenant_id, office.message_id(item))
    click = html.split(f'href="{TRACKING_URL}/c/')[1].split('"')[0]
    assert open_token(keyring, "click", click).url == "https://shop.example/?a=1&b=2"


async def test_follow_ups_stay_in_the_thread(office: Office, post: Post, smtp: SmtpServer) -> None:
    item = await office.enroll("zoe@recipient.example")
    async with running_sender(office):
        for number in (1, 2, 3):
            await post.send(step(item, number))
            await post.answer(step(item, number))
    first, second, third = (parsed(mail.content()) for mail in smtp.accepted())
    assert first["In-Reply-To"] is None
    assert second["In-Reply-To"] == first["Message-ID"]
    assert third["In-Reply-To"] == second["Message-ID"]
    assert str(third["References"]).split() == [first["Message-ID"], second["Message-ID"]]
    assert [str(mail["Subject"]) for mail in (first, second, third)] == [
        "Welcome Zoë",
        "Re: Welcome Zoë",
        "Re: Welcome Zoë",
    ]


async def test_follow_up_whose_thread_was_never_sent_begins_one(office: Office, post: Post, smtp: SmtpServer) -> None:
    item = step(await office.enroll("zoe@recipient.example"), 2)
    async with running_sender(office):
        await post.send(item)
        await post.answer(item)
    message = parsed(smtp.accepted()[0].content())
    assert (message["In-Reply-To"], str(message["Subject"])) == (None, "Welcome Zoë")


@pytest.mark.parametrize(
    ("esp", "header"), [("sendgrid", "X-SMTPAPI"), ("postmark", "X-PM-Metadata-postroad-message"), ("smtp", None)]
)
async def test_provider_gets_our_id_in_its_own_header(
    office: Office, post: Post, smtp: SmtpServer, esp: str, header: str | None
) -> None:
    await office.execute("UPDATE sequence.senders SET esp = $2 WHERE tenant_id = $1", esp)
    item = await office.enroll("zoe@recipient.example")
    async with running_sender(office):
        await post.send(item)
        await post.answer(item)
    message = parsed(smtp.accepted()[0].content())
    ref = pack_ref(office.tenant_id, office.message_id(item))
    assert {name for name in message if name.lower().startswith("x-")} == ({header} if header else set())
    assert header is None or ref in message[header]


async def test_template_that_cannot_be_filled_in_is_held_and_the_next_attempt_of_a_mended_contact_goes(
    office: Office, post: Post, smtp: SmtpServer
) -> None:
    await office.use_template("Hi {{ contact.attributes.nickname }}")
    item = await office.enroll("zoe@recipient.example")
    async with running_sender(office):
        await post.send(item)
        settled = await post.answer(item)
        assert (settled.outcome, settled.reasons[0]["kind"]) == ("held", "render_failed")
        assert "nickname" in settled.reasons[0]["message"]
        assert (await office.state(item), recipients(smtp)) == ("held", [])
        await office.execute(
            'UPDATE sequence.contacts SET attributes = \'{"nickname": "Zo"}\' WHERE tenant_id = $1 AND contact_id = $2',
            item.contact_id,
        )
        await post.send(step(item, attempt=2))
        assert (await post.answer(step(item, attempt=2))).outcome == "accepted"
    assert smtp.accepted()[0].subject == "Hi Zo"


async def test_value_that_would_break_a_header_is_held(office: Office, post: Post, smtp: SmtpServer) -> None:
    item = await office.enroll("zoe@recipient.example", first_name="Zoë\r\nBcc: eve@evil.example")
    async with running_sender(office):
        await post.send(item)
        assert (await post.answer(item)).outcome == "held"
    assert recipients(smtp) == []


async def test_many_are_each_sent_once(office: Office, post: Post, smtp: SmtpServer) -> None:
    items = await office.enroll_many(400)
    async with running_sender(office):
        await post.send(*items)
        assert set(await post.answers(items)) == {"accepted"}
    assert sorted(recipients(smtp)) == sorted(f"c{number}@recipient.example" for number in range(400))
    assert len({mail.connection for mail in smtp.accepted()}) <= 4


async def test_connection_is_replaced_after_its_messages(office: Office, post: Post, smtp: SmtpServer) -> None:
    items = await office.enroll_many(20)
    async with running_sender(office, smtp_messages_per_connection=2):
        await post.send(*items)
        assert set(await post.answers(items)) == {"accepted"}
    assert max(Counter(mail.connection for mail in smtp.accepted()).values()) == 2


async def test_item_without_its_rows_is_parked_and_the_others_of_its_batch_are_sent(
    office: Office, post: Post, smtp: SmtpServer
) -> None:
    good, bad = await office.enroll("zoe@recipient.example"), await office.enroll("max@recipient.example")
    bad = bad.model_copy(update={"step_key": "nowhere"})
    async with running_sender(office):
        await post.send(bad, good)
        assert (await post.answer(good)).outcome == "accepted"
    assert recipients(smtp) == ["zoe@recipient.example"]
    assert await office.row(bad) is None


async def source_of(office: Office, item: StepDue) -> bytes | None:
    """The message as it is kept."""
    query = "SELECT source FROM delivery.message_sources WHERE message_id = $1"
    source: bytes | None = await office.admin.fetchval(query, office.message_id(item))
    return None if source is None else zlib.decompress(source)


async def test_what_went_over_the_wire_is_kept_byte_for_byte_also_of_an_unknown_message(
    office: Office, post: Post, smtp: SmtpServer
) -> None:
    sent, unknown = await office.enroll("zoe@recipient.example"), await office.enroll("ida@recipient.example")
    async with running_sender(office):
        await post.send(sent)
        await post.answer(sent)
        await smtp.set_behaviour(Behaviour((drop_after_dot(times=1),)))
        await post.send(unknown)
        assert (await post.answer(unknown)).outcome == "unknown"
    assert await source_of(office, sent) == smtp.accepted()[0].content()
    kept = await source_of(office, unknown)
    assert kept is not None
    assert parsed(kept)["Message-ID"] == f"<{office.message_id(unknown).hex}@post.example>"


async def test_sources_are_kept_for_their_time_and_none_when_that_is_none(office: Office, post: Post) -> None:
    old, young, none = [await office.enroll(f"{name}@recipient.example") for name in ("old", "young", "none")]
    async with running_sender(office):
        await post.send(old, young)
        await post.answers([old, young])
    await office.admin.execute(
        "UPDATE delivery.message_sources SET made_at = made_at - interval '31 days' WHERE message_id = $1",
        office.message_id(old),
    )
    async with running_sender(office):

        async def old_is_gone() -> bool:
            return await source_of(office, old) is None

        await eventually(old_is_gone)
        assert await source_of(office, young) is not None
    async with running_sender(office, keep_sources_days=0):
        await post.send(none)
        await post.answer(none)
        assert await source_of(office, none) is None
