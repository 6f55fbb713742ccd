"""What a server's answer means for the message, its address and its sender: one table, first match wins.

Sources: RFC 5321 §4.2, RFC 3463 (and its IANA registry), RFC 7505, the bulk-sender rules of Gmail (5.7.26),
Outlook (5.7.515) and Yahoo (5.7.9), SES (454).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import assert_never

from postroad_common.personal import without_addresses
from postroad_engine.facts import Outcome
from postroad_engine.reasons import (
    BounceType,
    ConnectionFailed,
    OutcomeUnknown,
    Reason,
    RenderFailed,
    ServerAnswered,
)
from postroad_sender.smtp.dial import DialFailure
from postroad_sender.smtp.replies import Answered, Lost, Phase, Reply, Result, Unfit


class Pause(StrEnum):
    """Why a sender rests; how long each lasts is a setting."""

    OUTAGE = "outage"  # no connection: short, longer each time
    THROTTLED = "throttled"  # too fast
    CREDENTIALS = "credentials"  # the account's fault: a person must mend it
    POLICY = "policy"  # the domain's or the address block's reputation or authentication


class Meaning(StrEnum):
    """What an answer says."""

    ACCEPTED = "accepted"
    DEAD_ADDRESS = "dead_address"
    MAILBOX_FULL = "mailbox_full"
    LATER = "later"
    REFUSED = "refused"
    UNCLEAR = "unclear"
    THROTTLED = "throttled"
    CREDENTIALS = "credentials"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What becomes of an attempt. `pause` rests the whole sender; the contact is then not to blame."""

    outcome: Outcome
    reasons: tuple[Reason, ...]
    bounce_type: BounceType | None = None
    retry_after: timedelta | None = None
    pause: Pause | None = None
    reply: Reply | None = None

    @property
    def address_is_dead(self) -> bool:
        """Whether the server named the address dead: no mail goes there again."""
        return self.outcome is Outcome.REFUSED and self.bounce_type is BounceType.HARD


FULL_AGAIN_AFTER = timedelta(hours=1)

_USER_UNKNOWN = re.compile(
    r"(user|recipient|mailbox|address|account|inbox)\b[^.;]{0,60}?\b(unknown|not (be )?found|does(n't| not) exist|"
    r"not exist|invalid|unavailable|disabled|no longer|inactive|not (a )?valid|not known)|"
    r"(unknown|no such|invalid|non-?existent)( local)? (user|recipient|mailbox|address|account|person)|"
    r"no mailbox (here )?by that name",
    re.IGNORECASE,
)
_POLICY = re.compile(
    r"\b(spam|blocked|block(ed)? ?list|black ?list(ed)?|blacklist|reputation|dmarc|spf|dkim|policy|banned|abuse|rbl|"
    r"denied|unsolicited|content rejected|not allowed to send|relay(ing)?)\b",
    re.IGNORECASE,
)
_FULL = re.compile(
    r"(mailbox|inbox|account|quota)[^.;]{0,40}(full|exceed|over)|over ?quota|out of storage", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A row of the table: what is left out fits everything."""

    meaning: Meaning
    codes: Iterable[int] = ()
    status: str = ""  # a pattern of RFC 3463 without its class, such as "1\\.(1|2)"
    phases: Iterable[Phase] = ()
    text: re.Pattern[str] | None = None

    def fits(self, phase: Phase, reply: Reply) -> bool:
        subject = (reply.status or "").partition(".")[2]
        return (
            (not self.codes or reply.code in self.codes)
            and (not self.phases or phase in self.phases)
            and (not self.status or re.fullmatch(self.status, subject) is not None)
            and (self.text is None or self.text.search(reply.text) is not None)
        )


_TRANSIENT, _PERMANENT = range(400, 500), range(500, 600)
_AFTER_DATA = (Phase.DATA, Phase.MESSAGE)

TABLE = (
    _Rule(Meaning.ACCEPTED, range(200, 300), phases=(Phase.MESSAGE,)),
    # Something else than an answer to the final dot: the two of us are out of step.
    _Rule(Meaning.UNCLEAR, range(200, 400), phases=(Phase.MESSAGE,)),
    _Rule(Meaning.LATER, range(200, 400)),
    _Rule(Meaning.LATER, (421,)),
    _Rule(Meaning.POLICY, status=r"7\.(26|515|9|25|27|29)"),
    _Rule(Meaning.CREDENTIALS, (530, 534, 535, 538)),
    _Rule(Meaning.CREDENTIALS, (432, 454), phases=(Phase.AUTH,)),
    _Rule(Meaning.THROTTLED, (454,)),
    _Rule(Meaning.LATER, _TRANSIENT, phases=(Phase.MAIL,)),
    _Rule(Meaning.MAILBOX_FULL, status=r"2\.2"),
    _Rule(Meaning.LATER, _TRANSIENT),
    # From here on every reply is 5xx.
    _Rule(Meaning.REFUSED, status=r"(2\.3|3\.4)"),
    _Rule(Meaning.REFUSED, (552,), phases=(Phase.MAIL, *_AFTER_DATA)),
    _Rule(Meaning.CREDENTIALS, phases=(Phase.MAIL,)),
    _Rule(Meaning.DEAD_ADDRESS, status=r"(1\.(1|2|3|6|10)|2\.1)"),
    _Rule(Meaning.REFUSED, status=r"7\.\d+"),
    _Rule(Meaning.MAILBOX_FULL, (552,), phases=(Phase.RCPT,)),
    _Rule(Meaning.MAILBOX_FULL, text=_FULL),
    _Rule(Meaning.REFUSED, text=_POLICY),
    _Rule(Meaning.DEAD_ADDRESS, (550, 551, 553, 554), status=r"(|0\.0|1\.0|5\.\d+)", text=_USER_UNKNOWN),
    _Rule(Meaning.REFUSED, _PERMANENT),
)


def meaning(phase: Phase, reply: Reply) -> Meaning:
    """What a reply in a phase says."""
    return next(rule.meaning for rule in TABLE if rule.fits(phase, reply))


def judge(result: Result) -> Judgement:
    """What becomes of an attempt that ended so."""
    match result:
        case Answered(phase, reply):
            return _judge_answer(meaning(phase, reply), reply)
        case Lost(_, dot_written, said):
            why = without_addresses(said)
            if dot_written:
                return Judgement(Outcome.UNKNOWN, (OutcomeUnknown(f"the connection was cut off ({why})"),))
            return Judgement(Outcome.DEFERRED, (ConnectionFailed(why),))
        case Unfit(why):
            return Judgement(Outcome.HELD, (RenderFailed("message", None, why),))
        case _:
            assert_never(result)


def _judge_answer(said: Meaning, reply: Reply) -> Judgement:  # noqa: PLR0911 - a table of eight meanings
    answer = ServerAnswered(reply.code, reply.status, reply.told)
    match said:
        case Meaning.ACCEPTED:
            return Judgement(Outcome.ACCEPTED, (), reply=reply)
        case Meaning.DEAD_ADDRESS:
            return Judgement(Outcome.REFUSED, (answer,), BounceType.HARD, reply=reply)
        case Meaning.MAILBOX_FULL:
            return Judgement(Outcome.DEFERRED, (answer,), BounceType.SOFT, FULL_AGAIN_AFTER, reply=reply)
        case Meaning.LATER:
            return Judgement(Outcome.DEFERRED, (answer,), reply=reply)
        case Meaning.REFUSED:
            kind = BounceType.UNDETERMINED
            return Judgement(Outcome.REFUSED, (answer,), kind, reply=reply)
        case Meaning.UNCLEAR:
            cause = OutcomeUnknown(f"the server answered {reply.code} to the message")
            return Judgement(Outcome.UNKNOWN, (cause, answer), reply=reply)
        case Meaning.THROTTLED | Meaning.CREDENTIALS | Meaning.POLICY:
            return Judgement(Outcome.HELD, (answer,), pause=Pause(said.value), reply=reply)
        case _:
            assert_never(said)


def why_unreachable(failure: DialFailure) -> tuple[Pause, Reason]:
    """What a failed dial says about the sender."""
    if failure.reply is None:
        lasting = failure.phase in (Phase.TLS, Phase.AUTH)
        return (Pause.CREDENTIALS if lasting else Pause.OUTAGE), ConnectionFailed(without_addresses(failure.why))
    reply = failure.reply
    reason = ServerAnswered(reply.code, reply.status, reply.told)
    if failure.phase is Phase.AUTH:
        return Pause.CREDENTIALS, reason
    return (Pause.POLICY if reply.code >= 500 else Pause.OUTAGE), reason
