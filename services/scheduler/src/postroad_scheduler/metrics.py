"""What the scheduler counts."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from postroad_common.metrics import REGISTRY

LAG: Final = Histogram(
    "postroad_scheduler_due_lag_seconds",
    "How late the oldest row of a claim was.",
    registry=REGISTRY,
    buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200),
)
CLAIMED: Final = Counter(
    "postroad_scheduler_claimed_steps",
    "Claimed rows: fresh (a new attempt), again (an attempt without an answer), look (to be decided on), "
    "recalled (may have been sent before the database was restored).",
    ["kind"],
    registry=REGISTRY,
)
PUBLISHED: Final = Counter(
    "postroad_scheduler_published_steps", "Due steps confirmed by the broker.", registry=REGISTRY
)
UNMARKED: Final = Counter(
    "postroad_scheduler_unmarked_steps",
    "Published steps that were settled, or taken over, before they could be marked in flight.",
    registry=REGISTRY,
)
TAKEN_UP: Final = Counter(
    "postroad_scheduler_taken_up_enrollments", "Enrollments whose progress began.", registry=REGISTRY
)
SETTLED: Final = Counter(
    "postroad_scheduler_settled_steps",
    "Answers of senders by outcome; `stale` ones are late or told twice and change nothing.",
    ["outcome"],
    registry=REGISTRY,
)
DECIDED: Final = Counter(
    "postroad_scheduler_decided_enrollments",
    "Decisions written, by outcome: send, hold, end.",
    ["outcome"],
    registry=REGISTRY,
)
UNANSWERED: Final = Counter(
    "postroad_scheduler_unanswered_steps",
    "Attempts that no sender answered and that need attention.",
    registry=REGISTRY,
)
RECONCILED: Final = Counter(
    "postroad_scheduler_reconciled_enrollments",
    "What a lost message had left behind: untaken, unapplied, released.",
    ["kind"],
    registry=REGISTRY,
)
HELD: Final = Gauge("postroad_scheduler_held_enrollments", "Held rows, as last counted.", registry=REGISTRY)
OLDEST_DUE: Final = Gauge(
    "postroad_scheduler_oldest_due_seconds",
    "How far past its time the most overdue row is, of all tenants, as last looked at; 0: nothing waits that is due.",
    registry=REGISTRY,
)
IN_FLIGHT: Final = Gauge(
    "postroad_scheduler_in_flight_steps", "Steps with the senders, as last counted.", registry=REGISTRY
)
NEEDS_ATTENTION: Final = Gauge(
    "postroad_scheduler_needs_attention_enrollments", "Held rows that only a person can help.", registry=REGISTRY
)
