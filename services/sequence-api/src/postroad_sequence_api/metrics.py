"""What sequence-api counts of its own."""

from typing import Final

from prometheus_client import Counter

from postroad_common.metrics import REGISTRY

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
