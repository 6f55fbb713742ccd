"""What the sender counts."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from postroad_common.metrics import REGISTRY, SECONDS
from postroad_engine.facts import Outcome

MESSAGES: Final = Counter("postroad_sender_messages", "Attempts settled, by outcome.", ["outcome"], registry=REGISTRY)
OUTCOMES: Final = {outcome: MESSAGES.labels(outcome.value) for outcome in Outcome}
"""The counter of each outcome."""
TRANSMITTING: Final = Gauge(
    "postroad_sender_transmitting_messages", "Messages on the wire, outcome not yet durable.", registry=REGISTRY
)
WAITING: Final = Gauge(
    "postroad_sender_waiting_messages", "Messages in hand that wait for a free connection.", registry=REGISTRY
)
PAUSED: Final = Gauge("postroad_sender_paused_senders", "Senders that this process lets rest.", registry=REGISTRY)
SMTP_TIME: Final = Histogram(
    "postroad_sender_smtp_seconds", "From MAIL to the answer to the final dot.", registry=REGISTRY, buckets=SECONDS
)
RENDER_TIME: Final = Histogram(
    "postroad_sender_render_seconds",
    "Rendering one message.",
    registry=REGISTRY,
    buckets=(0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1),
)
DIALS: Final = Counter(
    "postroad_sender_dials",
    "SMTP connections by what became of them: made, or the phase that failed.",
    ["result"],
    registry=REGISTRY,
)
EXPIRED: Final = Counter(
    "postroad_sender_expired_incarnations",
    "Times that this process could not renew its heartbeat in time and went on as another.",
    registry=REGISTRY,
)
ORPHANS: Final = Counter(
    "postroad_sender_orphaned_messages", "Messages of expired processes that became unknown.", registry=REGISTRY
)
EVIDENCE: Final = Counter(
    "postroad_sender_evidenced_messages", "Unknown messages that an event proved accepted.", registry=REGISTRY
)
