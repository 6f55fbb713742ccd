"""One message from the queue to the mail server, the ledger and back."""

import email
import email.policy

from postroad_common.contracts.tokens import open_token
from postroad_common.sealing import KeyRing
from postroad_stack.smtp_server import SmtpServer
from tests.integration.sender.office import SECRET_KEYS, TRACKING_URL, Office, Post, recipients, running_sender


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
    message = email.message_from_bytes(smtp.accepted()[0].content(), policy=email.policy.default)
    assert message["From"] == "Jürgen Post <hello@post.example>"
    assert message["To"] == "Zoë Łoś <zoe@recipient.example>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    unsubscribe = message["List-Unsubscribe"].strip("<>")
    text, html = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))
    assert unsubscribe in text
    assert unsubscribe in html
    assert f'<img src="{TRACKING_URL}/o/' in html
    keyring = KeyRing.parse(SECRET_KEYS)
    token = open_token(keyring, "unsubscribe", unsubscribe.removeprefix(f"{TRACKING_URL}/u/"))
    assert (token.tenant_id, token.message_id) == (office.tenant_id, office.message_id(item))
    click = html.split(f'href="{TRACKING_URL}/c/')[1].split('"')[0]
    assert open_token(keyring, "click", click).url == "https://shop.example/?a=1&b=2"
