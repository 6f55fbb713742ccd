"""Named points at which a crash test can kill a process. Compiled out by `python -O`: guard calls by `if __debug__`."""

import os
import signal
from typing import Final

POINTS: Final = {
    "api.committed": "enrollments and their outbox row are committed, the answer is not sent",
    "job.queued": "a job, with its file if it has one, is committed, the answer is not sent",
    "job.claimed": "the lease on a job is committed, nothing of it is done",
    "job.chunk_committed": "a chunk's effects and the job's new position are committed",
    "relay.published": "the broker has confirmed, the outbox rows are still there",
    "relay.deleted": "the outbox rows are deleted, committed",
    "scheduler.taken_up": "progress of new enrollments is committed, the delivery is not acked",
    "scheduler.claimed": "the lease on due rows is committed, nothing is published",
    "scheduler.published": "due steps are confirmed by the broker, not yet marked in flight",
    "scheduler.marked": "due steps are marked in flight, committed",
    "scheduler.settle_committed": "what follows a settlement is committed, the delivery is not acked",
    "sender.received": "a batch is in hand, nothing is written",
    "sender.claimed": "transmitting is committed, the gate is not read",
    "sender.gated": "the gate has said yes, nothing is sent",
    "sender.mail_sent": "MAIL and RCPT are sent, the message is not",
    "sender.data_sent": "the final dot is sent, the answer is not read",
    "sender.answered": "the server has answered, the outcome is not committed",
    "sender.outcome_committed": "the outcome is committed, the settlement is not published",
    "sender.settled_published": "the settlement is confirmed by the broker, the delivery is not acked",
    "tracker.committed": "events and stops are committed, the answer is not sent",
    "tracker.acknowledged": "a stop is acknowledged, the answer is not sent",
    "webhooks.recorded": "deliveries of events are committed, the message that told of them is not acked",
    "webhooks.claimed": "the lease on due deliveries is committed, nothing is posted",
    "webhooks.answered": "the receiver has answered, the outcome is not committed",
}
"""Each point by name, with what is true when it is reached. docs/guarantees.md says who recovers."""


class _Armed:
    """The point that kills, and on which time it is reached; none in production."""

    point: str | None = None
    time: int = 0
    reached: int = 0


def arm(spec: str | None) -> None:
    """Kill this process when "point:n" is reached for the n-th time; raises ValueError for an unknown point."""
    if spec is None:
        _Armed.point = None
        return
    point, _, time = spec.partition(":")
    if point not in POINTS or not time.isdigit() or int(time) < 1:
        raise ValueError(f"{spec!r} is not <point>:<n>; the points are {', '.join(sorted(POINTS))}")
    _Armed.point, _Armed.time = point, int(time)
    _Armed.reached = 0


def reach(point: str) -> None:
    """Say that the process is at a point; raises KeyError for one that is not in POINTS."""
    POINTS[point]
    if point != _Armed.point:
        return
    _Armed.reached += 1
    if _Armed.reached == _Armed.time:
        os.kill(os.getpid(), signal.SIGKILL)
