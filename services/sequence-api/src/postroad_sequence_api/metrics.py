"""What sequence-api counts of its own."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from postroad_common.metrics import REGISTRY, SECONDS

JOBS_ENDED: Final = Counter(
    "postroad_sequence_api_jobs_ended",
    "Jobs by kind and how they ended: completed, failed, cancelled.",
    ["kind", "state"],
    registry=REGISTRY,
)
JOB_ITEMS: Final = Counter(
    "postroad_sequence_api_job_items",
    "What jobs have done, by kind and result: rows created, updated, rejected, contacts enrolled ...",
    ["kind", "result"],
    registry=REGISTRY,
)
WEBHOOKS_RECORDED: Final = Counter(
    "postroad_sequence_api_webhook_deliveries",
    "Deliveries of events to webhook subscriptions that were recorded.",
    registry=REGISTRY,
)
WEBHOOK_ATTEMPTS: Final = Counter(
    "postroad_sequence_api_webhook_attempts",
    "Posts of webhook events by outcome: delivered, failed (comes again), dead (given up).",
    ["outcome"],
    registry=REGISTRY,
)
WEBHOOK_SECONDS: Final = Histogram(
    "postroad_sequence_api_webhook_post_seconds",
    "Time until a receiver's answer, or the failure.",
    registry=REGISTRY,
    buckets=SECONDS,
)
WEBHOOK_LAG: Final = Histogram(
    "postroad_sequence_api_webhook_lag_seconds",
    "How long after its time a delivery to a subscription that does not fail was taken up.",
    registry=REGISTRY,
    buckets=(0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3600.0),
)
WEBHOOKS_IN_HAND: Final = Gauge(
    "postroad_sequence_api_webhooks_in_hand", "Deliveries that are being posted.", registry=REGISTRY
)
WEBHOOKS_DISABLED: Final = Counter(
    "postroad_sequence_api_webhook_subscriptions_disabled",
    "Webhook subscriptions that were disabled by us: failing, gone.",
    ["reason"],
    registry=REGISTRY,
)
