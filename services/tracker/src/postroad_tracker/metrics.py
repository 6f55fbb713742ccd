"""What the tracker counts."""

from typing import Final

from prometheus_client import Counter, Histogram

EVENTS: Final = Counter("postroad_tracker_events_total", "Events stored.", ["source", "type"])
DUPLICATES: Final = Counter("postroad_tracker_duplicates_total", "Events that were stored before.", ["source"])
REJECTED: Final = Counter("postroad_tracker_rejected_total", "Webhook elements that could not be read.", ["source"])
UNMATCHED: Final = Counter(
    "postroad_tracker_unmatched_total", "Events stored without finding their message.", ["source"]
)
MATCHED_LATE: Final = Counter("postroad_tracker_matched_late_total", "Stops that came of events matched late.")
STOPS: Final = Counter("postroad_tracker_stops_total", "Stops written.", ["kind"])
ON_THE_WIRE: Final = Counter(
    "postroad_tracker_on_the_wire_total", "Messages listed as on the wire when their stop was acknowledged."
)
REFUSED: Final = Counter("postroad_tracker_refused_total", "Webhooks refused before they were read.", ["code"])
COMMIT_REQUESTS: Final = Histogram(
    "postroad_tracker_commit_requests",
    "Requests that one commit answered.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
HITS_DEFERRED: Final = Counter(
    "postroad_tracker_hits_deferred_total", "Opens and clicks handed to the broker because the database was away."
)
HITS_UNRECORDED: Final = Counter(
    "postroad_tracker_hits_unrecorded_total", "Opens and clicks that neither the database nor the broker took."
)
