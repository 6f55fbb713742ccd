"""What the tracker counts."""

from typing import Final

from prometheus_client import Counter, Histogram

from postroad_common.metrics import REGISTRY

EVENTS: Final = Counter("postroad_tracker_events", "Events stored.", ["source", "type"], registry=REGISTRY)
DUPLICATES: Final = Counter(
    "postroad_tracker_duplicates", "Events that were stored before.", ["source"], registry=REGISTRY
)
REJECTED: Final = Counter(
    "postroad_tracker_rejected", "Webhook elements that could not be read.", ["source"], registry=REGISTRY
)
UNMATCHED: Final = Counter(
    "postroad_tracker_unmatched", "Events stored without finding their message.", ["source"], registry=REGISTRY
)
MATCHED_LATE: Final = Counter(
    "postroad_tracker_matched_late", "Events that found their message late.", registry=REGISTRY
)
STOPS: Final = Counter("postroad_tracker_stops", "Stops written.", ["kind"], registry=REGISTRY)
ON_THE_WIRE: Final = Counter(
    "postroad_tracker_on_the_wire",
    "Messages listed as on the wire when their stop was acknowledged.",
    registry=REGISTRY,
)
REFUSED: Final = Counter("postroad_tracker_refused", "Webhooks refused whole, by reason.", ["code"], registry=REGISTRY)
COMMIT_REQUESTS: Final = Histogram(
    "postroad_tracker_commit_requests",
    "Requests that one commit answered.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
    registry=REGISTRY,
)
HITS_DEFERRED: Final = Counter(
    "postroad_tracker_hits_deferred",
    "Opens and clicks handed to the broker because the database was away.",
    registry=REGISTRY,
)
HITS_UNRECORDED: Final = Counter(
    "postroad_tracker_hits_unrecorded",
    "Opens and clicks that neither the database nor the broker took.",
    registry=REGISTRY,
)
