"""Timelines: what happened, each entry with a sentence."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from asyncpg import Record

from postroad_common.db import queries
from postroad_engine.reasons.base import when
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import NotFoundError
from postroad_sequence_api.models.timelines import Entry, Timeline
from postroad_sequence_api.services.reasons import sentences

_SQL: Final = queries("postroad_sequence_api", "timelines")
_SHOWN: Final = 1000

Facts = Mapping[str, Any]


async def of_contact(work: Work, contact_id: UUID) -> Timeline:
    """All that happened to a contact, over all of its enrollments."""
    if not await work.value(_SQL.contact_exists, contact_id):
        raise NotFoundError("contact")
    return _view(await work.all(_SQL.entries, contact_id, None, _SHOWN + 1))


async def of_enrollment(work: Work, enrollment_id: UUID) -> Timeline:
    """All that happened to an enrollment."""
    if not await work.value(_SQL.enrollment_exists, enrollment_id):
        raise NotFoundError("enrollment")
    return _view(await work.all(_SQL.entries, None, enrollment_id, _SHOWN + 1))


def _view(rows: list[Record]) -> Timeline:
    newest = rows[:_SHOWN]
    return Timeline(items=tuple(_entry(row) for row in reversed(newest)), truncated=len(rows) > _SHOWN)


def _entry(row: Record) -> Entry:
    return Entry.of(row, sentence=_SAY[row["kind"]](row["step_key"], row["facts"]))


def _enrolled(_step: str | None, facts: Facts) -> str:
    return f"Enrolled in {facts['sequence']} (version {facts['version']})."


def _named(step: str | None) -> str:
    return f"Step {step!r}"


def _decision(step: str | None, facts: Facts) -> str:
    why = " ".join(sentences(facts["reasons"]))
    match facts["outcome"]:
        case "send":
            return f"{_named(step)} is to go {when(datetime.fromisoformat(facts['due_at']))}. {why}".strip()
        case "hold":
            return f"{_named(step)} is held. {why}".strip()
        case "end":
            return f"The enrollment is to end. {why}".strip()
        case other:
            return f"{_named(step)}: {other}. {why}".strip()


_ATTEMPTS: Final = {
    "accepted": "was accepted by the mail server",
    "refused": "was refused",
    "deferred": "was put off",
    "held": "was held back",
    "unknown": "was cut off: whether the mail server has it is not known",
    "cancelled": "was cancelled",
}


def _attempt(step: str | None, facts: Facts) -> str:
    said = " ".join(
        str(facts[part]) for part in ("reply_code", "reply_status", "reply_text") if facts[part] is not None
    )
    why = " ".join(sentences(facts["reasons"]))
    head = f"{_named(step)}, attempt {facts['attempt']}, {_ATTEMPTS.get(facts['outcome'], facts['outcome'])}"
    return " ".join(part for part in (f"{head}: {said}." if said else f"{head}.", why) if part)


_EVENTS: Final = {
    "queued": "The mail provider took the mail.",
    "sent": "The mail provider sent the mail.",
    "rejected": "The mail provider would not send the mail.",
    "failed": "The mail provider failed to send the mail.",
    "bounced": "The mail came back.",
    "deferred": "The recipient's server put the mail off.",
    "delivered": "The recipient's server took the mail.",
    "autoresponded": "An automatic answer came.",
    "opened": "The mail was opened.",
    "clicked": "A link was followed.",
    "complained": "The contact reported the mail as spam.",
    "unsubscribed": "The contact unsubscribed.",
    "subscribed": "The contact subscribed.",
    "replied": "The contact replied.",
}


def _event(_step: str | None, facts: Facts) -> str:
    more = facts["url"] or facts["detail"]
    head = _EVENTS.get(facts["type"], "The mail provider reported something that has no name here.")
    return f"{head[:-1]}: {more}" if more else head


_STOPS: Final = {
    "replied": "the contact replied",
    "bounced": "the address bounced",
    "complained": "the contact complained",
    "unsubscribed": "the contact unsubscribed",
}


def _stop(_step: str | None, facts: Facts) -> str:
    return f"Nothing more is to be sent: {_STOPS[facts['kind']]}. {_acknowledged(facts)}"


_INTENTS: Final = {
    ("enrollment", "pause"): "Somebody paused the enrollment.",
    ("enrollment", "run"): "Somebody resumed the enrollment.",
    ("enrollment", "stop"): "Somebody stopped the enrollment.",
    ("sequence", "pause"): "Somebody paused the sequence.",
    ("sequence", "run"): "Somebody resumed the sequence.",
    ("sequence", "stop"): "Somebody archived the sequence.",
    ("sender", "pause"): "Somebody paused the sender.",
    ("sender", "run"): "Somebody resumed the sender.",
    ("address", "stop"): "Somebody suppressed the address.",
    ("address", "run"): "Somebody lifted the suppression of the address.",
}


def _intent(_step: str | None, facts: Facts) -> str:
    head = _INTENTS.get((facts["subject"], facts["intent"]), f"{facts['subject']}: {facts['intent']}.")
    return head if facts["intent"] == "run" else f"{head} {_acknowledged(facts)}"


def _acknowledged(facts: Facts) -> str:
    if facts["acknowledged_at"] is None:
        return "This was not acknowledged yet."
    at = when(datetime.fromisoformat(facts["acknowledged_at"]))
    listed = len(facts["on_the_wire"])
    left = f"; {listed} sent just before could not be called back" if listed else ""
    return f"This holds since {at}{left}."


def _ended(_step: str | None, facts: Facts) -> str:
    return " ".join((f"The enrollment ended: {facts['state']}.", *sentences(facts["reasons"])))


_SAY: Final[Mapping[str, Callable[[str | None, Facts], str]]] = {
    "enrolled": _enrolled,
    "decision": _decision,
    "attempt": _attempt,
    "event": _event,
    "stop": _stop,
    "intent": _intent,
    "ended": _ended,
}
