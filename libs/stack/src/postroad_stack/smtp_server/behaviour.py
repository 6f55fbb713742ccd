"""How the server misbehaves: rules by stage, recipient pattern and count, as data that fits in a JSON file."""

from __future__ import annotations

import dataclasses
import json
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Literal

Milliseconds = tuple[int, int]
"""The least and the most of a delay."""


class Stage(StrEnum):
    """Where in the dialogue a rule acts."""

    CONNECT = "connect"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"


@dataclass(frozen=True, slots=True)
class Rule:
    """One misbehaviour. At `connect` there is no recipient: only a rule for `*` applies.

    `skip`, `times` and `every` count the rule's matches: the first `skip` go free, then every `every`-th is hit,
    `times` times at most. With `per_recipient` each address is counted by itself.
    """

    at: Stage
    action: Literal["refuse", "delay", "drop", "stall"]
    recipient: str = "*"
    reply: str = ""  # of refuse; a 421 closes the connection too
    delay_ms: Milliseconds = (0, 0)
    accepted: bool = True  # of drop at the dot: whether the mail counts as accepted although no answer went out
    skip: int = 0
    times: int | None = None
    every: int = 1
    per_recipient: bool = False


def refuse(recipient: str = "*", *, reply: str = "550 5.1.1 No such user", at: Stage = Stage.RCPT, **when: Any) -> Rule:
    """Answer RCPT (or the final dot) with the given reply."""
    return Rule(at=at, action="refuse", recipient=recipient, reply=reply, **when)


def defer(
    recipient: str = "*", *, reply: str = "451 4.7.1 Try again later", at: Stage = Stage.RCPT, **when: Any
) -> Rule:
    """Answer with a transient reply; `times=1, per_recipient=True` is greylisting."""
    return Rule(at=at, action="refuse", recipient=recipient, reply=reply, **when)


def busy(*, reply: str = "421 4.3.2 Too many connections", **when: Any) -> Rule:
    """Turn connections away with a 421."""
    return Rule(at=Stage.CONNECT, action="refuse", reply=reply, **when)


def drop_after_dot(recipient: str = "*", *, accepted: bool = True, **when: Any) -> Rule:
    """Close the connection after the final dot, without the answer."""
    return Rule(at=Stage.DOT, action="drop", recipient=recipient, accepted=accepted, **when)


def stall(recipient: str = "*", *, at: Stage = Stage.DATA, **when: Any) -> Rule:
    """Never answer DATA (or the final dot, or RCPT); the connection stays open."""
    return Rule(at=at, action="stall", recipient=recipient, **when)


def delay(milliseconds: int | Milliseconds, recipient: str = "*", *, at: Stage = Stage.DOT, **when: Any) -> Rule:
    """Answer late: a fixed time or a seeded draw between two."""
    return Rule(at=at, action="delay", recipient=recipient, delay_ms=_span(milliseconds), **when)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """All rules of a server; the first that does more than delay decides, delays add up."""

    rules: tuple[Rule, ...] = ()
    answer_delay_ms: Milliseconds = (0, 0)  # before every answer to a final dot
    seed: int = 0

    def to_json(self) -> str:
        """The text of a behaviour file."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Behaviour:
        """Parse a behaviour file; raises ValueError or TypeError that names what is wrong."""
        data: dict[str, Any] = json.loads(text)
        rules = tuple(_rule(entry) for entry in data.pop("rules", ()))
        answer_delay = _span(data.pop("answer_delay_ms", 0))
        return cls(rules=rules, answer_delay_ms=answer_delay, **data)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do at a stage: wait (for ever when None), then the deciding rule's action."""

    wait_seconds: float | None
    rule: Rule | None


class Director:
    """Applies a behaviour: keeps the counts that its rules speak of."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._matches: Counter[tuple[int, str]] = Counter()
        self._hits: Counter[tuple[int, str]] = Counter()
        self._random = random.Random(behaviour.seed)  # noqa: S311 - reproducible delays, not secrets
        self._by_stage: Mapping[Stage, list[tuple[int, Rule]]] = {
            stage: [(index, rule) for index, rule in enumerate(behaviour.rules) if rule.at is stage] for stage in Stage
        }
        self.plain = not behaviour.rules and behaviour.answer_delay_ms == (0, 0)

    def verdict(self, stage: Stage, recipient: str = "") -> Verdict:
        """What happens now; counts the match."""
        wait = 0.0
        deciding: Rule | None = None
        if stage is Stage.DOT:
            wait = self._draw(self._behaviour.answer_delay_ms)
        for index, rule in self._by_stage[stage]:
            if not fnmatchcase(recipient, rule.recipient) or not self._hit(index, rule, recipient):
                continue
            if rule.action == "stall":
                return Verdict(None, rule)
            if rule.action == "delay":
                wait += self._draw(rule.delay_ms)
            elif deciding is None:
                deciding = rule
        return Verdict(wait, deciding)

    def _hit(self, index: int, rule: Rule, recipient: str) -> bool:
        key = (index, recipient if rule.per_recipient else "")
        self._matches[key] += 1
        after_skip = self._matches[key] - rule.skip
        if after_skip <= 0 or after_skip % rule.every:
            return False
        if rule.times is not None and self._hits[key] >= rule.times:
            return False
        self._hits[key] += 1
        return True

    def _draw(self, span: Milliseconds) -> float:
        low, high = span
        return (low if low == high else self._random.uniform(low, high)) / 1000


def _span(milliseconds: int | Milliseconds | list[int]) -> Milliseconds:
    if isinstance(milliseconds, int):
        return (milliseconds, milliseconds)
    low, high = milliseconds
    return (low, high)


def _rule(entry: dict[str, Any]) -> Rule:
    fields = dict(entry)
    return Rule(at=Stage(fields.pop("at")), delay_ms=_span(fields.pop("delay_ms", 0)), **fields)
