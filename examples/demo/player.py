"""Plays the recipients and their mail provider against the real surfaces: SMTP log in, HTTP out."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from examples.demo.letter import BadLetterError, Letter, read_letter
from examples.demo.people import STEPS, Deed, Ending, Person
from examples.demo.tally import Tally
from postroad_common.ids import unpack_ref
from postroad_stack.fake_esps import FakePostmark, FakeSendGrid, WebhookRequest
from postroad_stack.smtp_server import Accepted, SmtpServer

ENDS_AS = {
    Ending.REPLY: "replied",
    Ending.BOUNCE: "bounced",
    Ending.COMPLAINT: "unenrolled",
    Ending.UNSUBSCRIBE: "unenrolled",
}
EVENT_OF = {
    Ending.REPLY: "replied",
    Ending.BOUNCE: "bounced",
    Ending.COMPLAINT: "complained",
    Ending.UNSUBSCRIBE: "unsubscribed",
}
AT_ONCE = 24
LOOK = 0.05  # seconds between two looks into the SMTP server's log


@dataclass(frozen=True)
class Provider:
    """The mail provider's side: where it posts, and with what it proves itself."""

    sendgrid: FakeSendGrid
    sendgrid_url: str
    postmark: FakePostmark
    postmark_url: str


@dataclass(frozen=True)
class Stopped:
    """That somebody's stop was answered: when (epoch ns), and which messages the answer named as beyond recall."""

    at_ns: int
    on_the_wire: frozenset[str]


@dataclass
class Player:
    """Everybody who gets mail, and their mail provider. `tally` is what it saw and did."""

    smtp: SmtpServer
    people: Mapping[str, Person]
    provider: Provider
    link_hosts: frozenset[str]  # where the sequence's links lead
    tally: Tally = field(default_factory=Tally)
    _last: int = 0
    _busy: set[asyncio.Task[None]] = field(default_factory=set)
    _message_ids: set[str] = field(default_factory=set)
    _stopped: dict[str, Stopped] = field(default_factory=dict)
    _delivered: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._http = httpx.AsyncClient(timeout=30, headers={"User-Agent": "Recipient/1.0 (a mail program)"})
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._refused = 0

    @property
    def idle(self) -> bool:
        """Whether everything that arrived has been dealt with."""
        return not self._busy and not self._delivered and self._last == self.smtp.accepted_count()

    async def play(self) -> None:
        """React to mail until cancelled."""
        try:
            while True:
                self._note_refused()
                for mail in self.smtp.accepted_after(self._last):
                    self._last = mail.number
                    self._receive(mail)
                await self._report_deliveries()
                await asyncio.sleep(LOOK)
        finally:
            for task in self._busy:
                task.cancel()
            await asyncio.gather(*self._busy, return_exceptions=True)
            await self._http.aclose()

    def _note_refused(self) -> None:
        refused = self.smtp.events("refused")
        for event in refused[self._refused :]:
            recipient = event["to"]
            step = self.tally.arrived[recipient] + 1
            self.tally.saw(step, "refused", recipient)
            self.tally.saw(step, "bounced", recipient)
            self.tally.ends[recipient] = "bounced"
        self._refused = len(refused)

    def _receive(self, mail: Accepted) -> None:
        """Count the mail, check it, and let its recipient get to it."""
        recipient = mail.recipient
        self.tally.arrived[recipient] += 1
        step = self.tally.arrived[recipient]
        try:
            letter = read_letter(mail.content())
        except BadLetterError as error:
            self.tally.faults.append(f"step {step} to {recipient}: {error}")
            return
        self._check(mail, letter, step)
        if recipient in self.people and step <= STEPS:
            self.tally.saw(step, "accepted", recipient)
            task = asyncio.create_task(self._react(recipient, step, letter))
            self._busy.add(task)
            task.add_done_callback(self._done)

    def _check(self, mail: Accepted, letter: Letter, step: int) -> None:
        recipient = mail.recipient
        if letter.message_id in self._message_ids:
            self.tally.faults.append(f"step {step} to {recipient} came twice: {letter.message_id}")
        self._message_ids.add(letter.message_id)
        if recipient not in self.people or step > STEPS:
            self.tally.faults.append(f"nobody expects step {step} to {recipient}")
        stopped = self._stopped.get(recipient)
        if stopped is not None and mail.accepted_ns > stopped.at_ns:
            _, message_id = unpack_ref(letter.reference)
            if str(message_id) not in stopped.on_the_wire:
                self.tally.faults.append(f"step {step} to {recipient} was sent after the stop was answered")

    def _done(self, task: asyncio.Task[None]) -> None:
        self._busy.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.tally.faults.append(f"{type(error).__name__}: {error}")

    async def _react(self, recipient: str, step: int, letter: Letter) -> None:
        deed = self.people[recipient].deeds[step - 1]
        if deed.ending is not Ending.BOUNCE:
            self._delivered.append(self.provider.sendgrid.event("delivered", email=recipient, ref=letter.reference))
            self.tally.did(step, "delivered", recipient)
        await asyncio.sleep(deed.pause)
        async with self._gate:
            await self._look(recipient, step, letter, deed)
            if deed.ending is not None:
                await self._end(recipient, step, letter, deed.ending)

    async def _look(self, recipient: str, step: int, letter: Letter, deed: Deed) -> None:
        for _ in range(deed.opens):
            picture = await self._http.get(letter.pixel)
            self._expect(picture, 200)
            self.tally.did(step, "opened", recipient)
        if deed.reads_unsubscribe_page:
            self._expect(await self._http.get(letter.unsubscribe, headers={"Accept": "text/html"}), 200)
        if deed.clicks and letter.links:
            answer = await self._http.get(letter.links[0], headers={"Accept": "text/html"})
            self._expect(answer, 302)
            if urlsplit(answer.headers.get("Location", "")).hostname not in self.link_hosts:
                self.tally.faults.append(
                    f"step {step} to {recipient}: its link led to {answer.headers.get('Location')}"
                )
            self.tally.did(step, "clicked", recipient)

    async def _end(self, recipient: str, step: int, letter: Letter, ending: Ending) -> None:
        answer = await self._send(recipient, letter, ending)
        self._expect(answer, 200)
        self.tally.did(step, EVENT_OF[ending], recipient)
        self.tally.ends[recipient] = ENDS_AS[ending]
        self._stopped[recipient] = Stopped(time.time_ns(), _on_the_wire(answer))

    async def _send(self, recipient: str, letter: Letter, ending: Ending) -> httpx.Response:
        provider = self.provider
        match ending:
            case Ending.UNSUBSCRIBE:
                return await self._http.post(letter.unsubscribe, data={"List-Unsubscribe": "One-Click"})
            case Ending.REPLY:
                reply = provider.postmark.reply(
                    email=recipient, in_reply_to=letter.message_id, text="Thank you, could we talk on Thursday?"
                )
                return await self._post(provider.postmark_url, provider.postmark.request(reply))
            case Ending.BOUNCE:
                event = provider.sendgrid.event(
                    "bounce",
                    email=recipient,
                    ref=letter.reference,
                    type="bounce",
                    status="5.1.1",
                    reason="550 5.1.1 mailbox unavailable",
                )
                return await self._post(provider.sendgrid_url, provider.sendgrid.request([event]))
            case Ending.COMPLAINT:
                event = provider.sendgrid.event("spamreport", email=recipient, ref=letter.reference)
                return await self._post_twice(provider.sendgrid_url, provider.sendgrid.request([event]))

    async def _post(self, url: str, request: WebhookRequest) -> httpx.Response:
        return await self._http.post(url, content=request.body, headers=dict(request.headers))

    async def _post_twice(self, url: str, request: WebhookRequest) -> httpx.Response:
        """As providers do when they miss the answer: the same bytes again must change nothing."""
        first = await self._post(url, request)
        self._expect(await self._post(url, request), 200)
        self.tally.redelivered += 1
        return first

    async def _report_deliveries(self) -> None:
        """SendGrid posts events of several messages in one signed array."""
        batch = self._delivered[:50]
        if batch:
            request = self.provider.sendgrid.request(batch)
            self._expect(await self._post(self.provider.sendgrid_url, request), 200)
            del self._delivered[: len(batch)]

    def _expect(self, answer: httpx.Response, status: int) -> None:
        if answer.status_code != status:
            shown = f"{answer.request.method} {answer.url.path[:20]}… answered {answer.status_code}, not {status}"
            self.tally.faults.append(f"{shown}: {answer.text[:200]}")


def _on_the_wire(answer: httpx.Response) -> frozenset[str]:
    """The messages that the answer to a stop names as beyond recall."""
    listed = {part.strip() for part in answer.headers.get("Postroad-On-The-Wire", "").split(",") if part.strip()}
    try:
        body = json.loads(answer.content)
    except ValueError:
        return frozenset(listed)
    return frozenset(listed | {str(message) for message in body.get("on_the_wire", ())})
