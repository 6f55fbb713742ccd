"""The topology: one exchange, and the queues as one table. All queues are quorum queues and bounded.

A queue called q has its retry ladder `q.retry.1s`, `.10s`, `.60s` beside it, which give a message back after that
time, and `q.parking`, where a message stays until a person has looked at it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

Arguments: TypeAlias = dict[str, str | int]

EXCHANGE: Final = "postroad"
"""Topic exchange; the routing key is the message's type."""

DELIVERY_LIMIT: Final = 20
"""Deliveries without an answer, as by a process that dies each time, before the broker itself parks a message."""

MAX_MESSAGES: Final = 100_000
"""In one queue that says nothing else; more are refused to the publisher, whose rows keep them."""

_PARKING_DELIVERY_LIMIT: Final = 1_000_000  # looking at parked messages must never use up a limit


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the retry ladder."""

    name: str
    delay: timedelta


RUNGS: Final = (
    Rung("1s", timedelta(seconds=1)),
    Rung("10s", timedelta(seconds=10)),
    Rung("60s", timedelta(seconds=60)),
)


@dataclass(frozen=True, slots=True)
class Queue:
    """A work queue, the message types it takes, the ladder of its failures, and how many messages it holds."""

    name: str
    types: tuple[str, ...]
    rungs: tuple[Rung, ...] = RUNGS
    max_messages: int = MAX_MESSAGES

    @property
    def parking(self) -> str:
        """Name of the parking queue."""
        return f"{self.name}.parking"

    def retry(self, rung: Rung) -> str:
        """Name of the retry queue of a rung."""
        return f"{self.name}.retry.{rung.name}"

    def rung_for(self, delay: timedelta) -> Rung:
        """The shortest rung that is at least the given delay, else the longest."""
        return next((rung for rung in self.rungs if rung.delay >= delay), self.rungs[-1])

    def declarations(self) -> Iterator[tuple[str, Arguments]]:
        """Name and arguments of each queue to declare."""
        yield self.parking, {"x-queue-type": "quorum", "x-delivery-limit": _PARKING_DELIVERY_LIMIT}
        yield self.name, self._dead_lettering_to(self.parking) | {"x-delivery-limit": DELIVERY_LIMIT}
        for rung in self.rungs:
            ttl = int(rung.delay.total_seconds() * 1000)
            yield self.retry(rung), self._dead_lettering_to(self.name) | {"x-message-ttl": ttl}

    def _dead_lettering_to(self, queue: str) -> Arguments:
        """At-least-once dead-lettering, which needs quorum queues that refuse rather than drop."""
        return {
            "x-queue-type": "quorum",
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": queue,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-max-length": self.max_messages,
        }


SCHEDULER_ENROLLMENTS: Final = Queue(
    "scheduler.enrollments",
    ("enrollments.created.v1", "enrollments.intent_changed.v1", "sequences.state_changed.v1"),
)
SCHEDULER_SETTLED: Final = Queue("scheduler.settled", ("steps.settled.v1",))
SCHEDULER_SIGNALS: Final = Queue(
    "scheduler.signals",
    (
        "contact.replied.v1",
        "contact.bounced.v1",
        "contact.complained.v1",
        "contact.unsubscribed.v1",
        "contact.clicked.v1",
        "contact.opened.v1",
    ),
)
SENDER_DUE: Final = Queue("sender.due", ("steps.due.v1",))
SENDER_EVIDENCE: Final = Queue("sender.evidence", ("messages.delivered.v1", "messages.settled_by_hand.v1"))
TRACKER_HITS: Final = Queue("tracker.hits", ("tracking.hits.v1",))
SENDER_ERASURES: Final = Queue("sender.erasures", ("contacts.erased.v1",))
TRACKER_ERASURES: Final = Queue("tracker.erasures", ("contacts.erased.v1",))
SEQUENCE_API_WEBHOOKS: Final = Queue(
    "sequence-api.webhooks",
    ("enrollments.created.v1", "enrollments.ended.v1", "steps.settled.v1", "tracking.recorded.v1"),
    max_messages=10 * MAX_MESSAGES,  # while no sequence-api runs, mail goes on for so much longer
)

QUEUES: Final[Mapping[str, Queue]] = {
    queue.name: queue
    for queue in (
        SCHEDULER_ENROLLMENTS,
        SCHEDULER_SETTLED,
        SCHEDULER_SIGNALS,
        SENDER_DUE,
        SENDER_EVIDENCE,
        TRACKER_HITS,
        SENDER_ERASURES,
        TRACKER_ERASURES,
        SEQUENCE_API_WEBHOOKS,
    )
}
"""Every work queue by name."""
