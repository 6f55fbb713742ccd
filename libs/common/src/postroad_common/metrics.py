"""Prometheus metrics. A service's own are named postroad_<service>_<noun>_<unit>; these are everybody's."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

REGISTRY: Final = CollectorRegistry()
"""Of this process; make a service's metrics with registry=REGISTRY."""

ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

SECONDS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Histogram buckets for things that take from a millisecond to half a minute."""

PUBLISHED: Final = Counter(
    "postroad_amqp_published_messages",
    "Publishes by outcome: confirmed, refused (returned, negative, connection lost), timed_out.",
    ["outcome"],
    registry=REGISTRY,
)
HANDLED: Final = Counter(
    "postroad_amqp_handled_messages",
    "Deliveries by queue and fate: done, retried, failed (on to the next rung), split, parked.",
    ["queue", "fate"],
    registry=REGISTRY,
)
HANDLING: Final = Histogram(
    "postroad_amqp_handling_seconds", "Time in the handler.", ["queue"], registry=REGISTRY, buckets=SECONDS
)
IN_HAND: Final = Gauge("postroad_amqp_in_hand_messages", "Deliveries not yet answered.", ["queue"], registry=REGISTRY)
CONNECTED: Final = Gauge(
    "postroad_amqp_connected", "Whether a connection to the broker is there: 1 or 0.", ["link"], registry=REGISTRY
)
QUEUED: Final = Gauge(
    "postroad_amqp_queued_messages",
    "Messages that wait in a work queue, as last counted; absent while the broker does not say.",
    ["queue"],
    registry=REGISTRY,
)
PARKED: Final = Gauge(
    "postroad_amqp_parked_messages",
    "Messages parked behind a work queue, as last counted; absent while the broker does not say.",
    ["queue"],
    registry=REGISTRY,
)
RELAYED: Final = Counter(
    "postroad_outbox_relayed_messages", "Outbox rows published and deleted.", ["schema"], registry=REGISTRY
)
OUTBOX_AGE: Final = Gauge(
    "postroad_outbox_oldest_seconds",
    "How long the oldest outbox row has waited to be relayed, as last looked at; 0: none waits.",
    ["schema"],
    registry=REGISTRY,
)
POOLED: Final = Gauge(
    "postroad_database_connections", "Connections of this process's pool: busy, idle.", ["state"], registry=REGISTRY
)
POOL_SIZE: Final = Gauge(
    "postroad_database_connections_limit", "How many connections the pool may have.", registry=REGISTRY
)
READY: Final = Gauge(
    "postroad_ready",
    "Whether a readiness check was well, 1 or 0, when /readyz was last asked.",
    ["check"],
    registry=REGISTRY,
)
DATABASE_HELD: Final = Gauge(
    "postroad_database_held", "1 while the database may not send, as after a restore.", registry=REGISTRY
)
REQUESTS: Final = Histogram(
    "postroad_http_request_seconds",
    "HTTP requests by route and status.",
    ["method", "route", "status"],
    registry=REGISTRY,
    buckets=SECONDS,
)


def exposition() -> bytes:
    """All metrics in the text format of Prometheus."""
    return generate_latest(REGISTRY)
