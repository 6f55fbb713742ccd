"""Plays the recipients and their mail provider against the real surfaces: SMTP log in, HTTP out."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout

from examples.demo.letter import BadLetterError, Letter, read_letter
from examples.demo.people import STEPS, Deed, Ending, Person
from examples.demo.provider import Provider
from examples.demo.tally import Tally
from postroad_common.ids import unpack_ref
from postroad_stack.fake_esps import WebhookRequest
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
BROWSER = {"Accept": "text/html"}
LOOK = 0.05  # seconds between two looks into the SMTP server's log


@dataclass(frozen=True)
class Answer:
    """What a surface answered."""

    asked: str
    status: int
    location: str
    listed: str  # the header that lists what is on the wire
    body: bytes


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
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._refused = 0
        self._over = asyncio.Event()

    @property
    def idle(self) -> bool:
        """Whether everything that arrived has been dealt with."""
        return not self._busy and not self._delivered and self._last == self.smtp.accepted_count()

    def sequence_is_over(self) -> None:
        """What people do after the last mail, they do now: it must not change how the sequence ended."""
        self._over.set()

    def start_over(self) -> None:
        """Forget what was: whoever is enrolled again begins at the first step again."""
        self.tally = Tally()
        self._stopped.clear()

    async def play(self) -> None:
        """React to mail until cancelled."""
        timeout = ClientTimeout(total=30)
        async with ClientSession(headers={"User-Agent": "Recipient/1.0 (a mail program)"}, timeout=timeout) as http:
            try:
                while True:
                    self._note_refused()
                    for mail in self.smtp.accepted_after(self._last):
                        self._last = mail.number
                        self._receive(http, mail)
                    await self._report_deliveries(http)
                    await asyncio.sleep(LOOK)
            finally:
                for task in self._busy:
                    task.cancel()
                await asyncio.gather(*self._busy, return_exceptions=True)

    def _note_refused(self) -> None:
        refused = self.smtp.events("refused")
        for event in refused[self._refused :]:
            recipient = event["to"]
            step = self.tally.arrived[recipient] + 1
            self.tally.saw(step, "refused", recipient)
            self.tally.saw(step, "bounced", recipient)
            self.tally.ends[recipient] = "bounced"
        self._refused = len(refused)

    def _receive(self, http: ClientSession, mail: Accepted) -> None:
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
            task = asyncio.create_task(self._react(http, recipient, step, letter))
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

    async def _react(self, http: ClientSession, recipient: str, step: int, letter: Letter) -> None:
        deed = self.people[recipient].deeds[step - 1]
        if deed.ending is not Ending.BOUNCE:
            self._delivered.append(self.provider.sendgrid.event("delivered", email=recipient, ref=letter.reference))
            self.tally.did(step, "delivered", recipient)
        await asyncio.sleep(deed.pause)
        async with self._gate:
            await self._look(http, recipient, step, letter, deed)
        if deed.ending is not None:
            if step == STEPS:
                await self._over.wait()
            await self._end(http, recipient, step, letter, deed.ending)

    async def _look(self, http: ClientSession, recipient: str, step: int, letter: Letter, deed: Deed) -> None:
        for _ in range(deed.opens):
            self._expect(200, await _ask(http, "GET", letter.pixel))
            self.tally.did(step, "opened", recipient)
        if deed.reads_unsubscribe_page:
            self._expect(200, await _ask(http, "GET", letter.unsubscribe, headers=BROWSER))
        if deed.clicks and letter.links:
            answer = await _ask(http, "GET", letter.links[0], headers=BROWSER)
            self._expect(302, answer)
            if urlsplit(answer.location).hostname not in self.link_hosts:
                self.tally.faults.append(f"step {step} to {recipient}: its link led to {answer.location}")
            self.tally.did(step, "clicked", recipient)

    async def _end(self, http: ClientSession, recipient: str, step: int, letter: Letter, ending: Ending) -> None:
        answer = await self._send(http, recipient, letter, ending)
        self._expect(200, answer)
        self.tally.did(step, EVENT_OF[ending], recipient)
        if step < STEPS:
            self.tally.ends[recipient] = ENDS_AS[ending]
        self._stopped[recipient] = Stopped(time.time_ns(), _on_the_wire(answer))

    async def _send(self, http: ClientSession, recipient: str, letter: Letter, ending: Ending) -> Answer:
        if ending is Ending.UNSUBSCRIBE:
            return await _ask(http, "POST", letter.unsubscribe, data={"List-Unsubscribe": "One-Click"})
        url, request = self.provider.report(ending, recipient, letter)
        answer = await _post(http, url, request)
        if ending is Ending.COMPLAINT:
            # As providers do when they miss the answer: the same bytes again must change nothing.
            self._expect(200, await _post(http, url, request))
            self.tally.redelivered += 1
        return answer

    async def _report_deliveries(self, http: ClientSession) -> None:
        """SendGrid posts events of several messages in one signed array."""
        batch = self._delivered[:50]
        if batch:
            request = self.provider.sendgrid.request(batch)
            try:
                answer = await _post(http, self.provider.sendgrid_url, request)
            except ClientError:
                return  # as SendGrid would: the same events again, a little later
            self._expect(200, answer)
            del self._delivered[: len(batch)]

    def _expect(self, status: int, answer: Answer) -> None:
        if answer.status != status:
            shown = f"{answer.asked} answered {answer.status}, not {status}"
            self.tally.faults.append(f"{shown}: {answer.body[:200].decode(errors='replace')}")


async def _ask(http: ClientSession, method: str, url: str, **request: Any) -> Answer:
    async with http.request(method, url, allow_redirects=False, **request) as response:
        return Answer(
            asked=f"{method} {response.url.path[:20]}",
            status=response.status,
            location=response.headers.get("Location", ""),
            listed=response.headers.get("Postroad-On-The-Wire", ""),
            body=await response.read(),
        )


async def _post(http: ClientSession, url: str, request: WebhookRequest) -> Answer:
    return await _ask(http, "POST", url, data=request.body, headers=request.headers)


def _on_the_wire(answer: Answer) -> frozenset[str]:
    """The messages that the answer to a stop names as beyond recall."""
    listed = {part.strip() for part in answer.listed.split(",") if part.strip()}
    try:
        body = json.loads(answer.body)
    except ValueError:
        return frozenset(listed)
    return frozenset(listed | {str(message) for message in body.get("on_the_wire", ())})
