"""What becomes of a message whose handler did not succeed: a pure decision, carried out by the consumer."""

import traceback
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from postroad_common.amqp.errors import Poison, Retry
from postroad_common.amqp.topology import Queue, Rung
from postroad_common.errors import ContractError

_ERROR_CHARACTERS: Final = 4_000
_SPLIT_AT_ATTEMPT: Final = 2


@dataclass(frozen=True, slots=True)
class Again:
    """Back after the rung's delay, as this attempt."""

    rung: Rung
    attempt: int
    counted: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Split:
    """A batch that failed twice: its items go on alone, so that one bad item does not hold up the others."""

    rung: Rung
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class Park:
    """Out of retries, or beyond help: to the parking queue, for a person."""

    reason: str
    error: str


Fate: TypeAlias = Again | Split | Park


def decide_fate(error: Exception, *, queue: Queue, attempt: int, items: int) -> Fate:
    """The fate of a message that raised. Retry is not counted; the last rung is followed by parking."""
    match error:
        case Retry(reason=reason, delay=delay):
            return Again(queue.rung_for(delay), attempt, counted=False, reason=reason)
        case Poison(reason=reason):
            return Park(reason, error="")
        case ContractError():
            return Park(str(error), error="")
        case _ if attempt > len(queue.rungs):
            return Park(_sentence(error), error=_summary(error))
        case _ if items > 1 and attempt >= _SPLIT_AT_ATTEMPT:
            return Split(queue.rungs[attempt - 1], attempt + 1, _sentence(error))
        case _:
            return Again(queue.rungs[attempt - 1], attempt + 1, counted=True, reason=_sentence(error))


def outage(queue: Queue, attempt: int, error: Exception) -> Again:
    """A server that is away is nobody's fault: not counted, and not asked for too often."""
    return Again(queue.rung_for(timedelta(seconds=10)), attempt, counted=False, reason=_sentence(error))


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]


def _summary(error: Exception) -> str:
    """The end of the traceback, which names the place."""
    return "".join(traceback.format_exception(error))[-_ERROR_CHARACTERS:]
