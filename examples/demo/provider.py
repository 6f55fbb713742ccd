"""The mail provider's side of the play: what it reports by webhook, signed or authenticated as in earnest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

from examples.demo.letter import Letter
from examples.demo.people import Ending
from postroad_stack.fake_esps import FakePostmark, FakeSendGrid, WebhookRequest

Reported = Literal[Ending.REPLY, Ending.BOUNCE, Ending.COMPLAINT]


@dataclass(frozen=True)
class Provider:
    """Where it posts, and with what it proves itself."""

    sendgrid: FakeSendGrid
    sendgrid_url: str
    postmark: FakePostmark
    postmark_url: str

    def report(self, ending: Reported, recipient: str, letter: Letter) -> tuple[str, WebhookRequest]:
        """The webhook of something that the provider learns: a reply, a late bounce or a complaint."""
        match ending:
            case Ending.REPLY:
                said = self.postmark.reply(
                    email=recipient, in_reply_to=letter.message_id, text="Thank you, could we talk on Thursday?"
                )
                return self.postmark_url, self.postmark.request(said)
            case Ending.BOUNCE:
                fields = {"type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 mailbox unavailable"}
                event = self.sendgrid.event("bounce", email=recipient, ref=letter.reference, **fields)
                return self.sendgrid_url, self.sendgrid.request([event])
            case Ending.COMPLAINT:
                event = self.sendgrid.event("spamreport", email=recipient, ref=letter.reference)
                return self.sendgrid_url, self.sendgrid.request([event])
            case _:
                assert_never(ending)
