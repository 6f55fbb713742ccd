"""Why a step goes when it goes, or does not: every reason of the product, as values.

A reason is stored as JSON next to what it explains, so kinds and fields are a contract: add, never rename.
"""

from postroad_engine.reasons.base import REGISTRY, Reason, Unrecognised, from_json
from postroad_engine.reasons.delivery import (
    ConnectionFailed,
    IncarnationExpired,
    NoAnswerFromSender,
    NotOurs,
    OutcomeUnknown,
    Refused,
    RenderFailed,
    RetriesExhausted,
    ServerAnswered,
    SettledByEvidence,
)
from postroad_engine.reasons.stops import (
    AlreadyEnded,
    BounceType,
    ContactGone,
    EnrollmentPaused,
    EnrollmentStopped,
    SenderPaused,
    SequenceFinished,
    SequenceInactive,
    SequenceState,
    StepGone,
    StopKind,
    Suppressed,
)
from postroad_engine.reasons.timing import (
    DelayAfter,
    Expired,
    Overdue,
    PreferredTime,
    RetryAt,
    TimeSkipped,
    Whose,
    ZoneFallback,
)

__all__ = [
    "REGISTRY",
    "AlreadyEnded",
    "BounceType",
    "ConnectionFailed",
    "ContactGone",
    "DelayAfter",
    "EnrollmentPaused",
    "EnrollmentStopped",
    "Expired",
    "IncarnationExpired",
    "NoAnswerFromSender",
    "NotOurs",
    "OutcomeUnknown",
    "Overdue",
    "PreferredTime",
    "Reason",
    "Refused",
    "RenderFailed",
    "RetriesExhausted",
    "RetryAt",
    "SenderPaused",
    "SequenceFinished",
    "SequenceInactive",
    "SequenceState",
    "ServerAnswered",
    "SettledByEvidence",
    "StepGone",
    "StopKind",
    "Suppressed",
    "TimeSkipped",
    "Unrecognised",
    "Whose",
    "ZoneFallback",
    "from_json",
]
