"""Proofs on live data: statements that find what must never be."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from asyncpg import Record

from postroad_common.db import queries
from postroad_sequence_api.context import Work
from postroad_sequence_api.models.proofs import RuleResult, Verification

_SQL: Final = queries("postroad_sequence_api", "verify")


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold; the statement of the same name finds what breaks it."""

    name: str
    description: str


RULES: Final = (
    Rule(
        "accepted_twice",
        "Per enrollment and step at most one attempt was accepted by a mail server or may have been.",
    ),
    Rule("ledger_row_twice", "Per enrollment and step there is one ledger row."),
    Rule(
        "accepted_after_stop",
        "Nothing was handed over that began after a pause, stop, suppression, reply, bounce, complaint or "
        "unsubscribe was acknowledged, the messages listed in that answer excepted.",
    ),
    Rule(
        "accepted_not_due",
        "Every message handed over is a step of its sequence version, and a decision had made it due.",
    ),
    Rule(
        "moved_to_another_version",
        "Progress and ledger are of the very sequence version and contact that were enrolled.",
    ),
    Rule(
        "ledger_and_attempts_differ",
        "The ledger says of each message what the last of its attempts says, and no attempt lacks its ledger row.",
    ),
    Rule("ledger_without_enrollment", "Whatever runs or was handed over was enrolled."),
    Rule(
        "stuck",
        "Every enrollment has ended, or waits for something whose time has not passed for longer than the grace; "
        "so do messages on the wire, messages to relay, and stops to acknowledge.",
    ),
    Rule(
        "lost_step_waits",
        "After a restore nothing waits to be sent that was due before it and may have been sent: "
        "run `postroad restore reconcile`.",
    ),
    Rule(
        "slot_differs", "An enrollment that runs holds its contact's slot in the sequence; one that has ended does not."
    ),
    Rule("event_not_once", "Every tracking event has one key and is stored once, and every key has its event."),
)
"""Each is tested with a planted violation."""

_WITH_GRACE: Final = frozenset({"stuck"})


async def verify(work: Work, grace: timedelta) -> Verification:
    """Ask all rules. Each sees one moment; what is under way between two of them breaks none."""
    await work.do(_SQL.make_room)
    results = [await _ask(work, rule, grace) for rule in RULES]
    return Verification(ok=all(result.count == 0 for result in results), rules=tuple(results))


async def _ask(work: Work, rule: Rule, grace: timedelta) -> RuleResult:
    arguments = (grace,) if rule.name in _WITH_GRACE else ()
    rows = await work.all(_SQL[rule.name], *arguments)
    return RuleResult(
        rule=rule.name,
        description=rule.description,
        count=rows[0]["total"] if rows else 0,
        violations=tuple(_ids(row) for row in rows),
    )


def _ids(row: Record) -> dict[str, object]:
    return {name: value for name, value in row.items() if name != "total" and value is not None}
