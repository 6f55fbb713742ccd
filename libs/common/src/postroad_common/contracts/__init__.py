"""The messages between services, one file a family, one class a version."""

from postroad_common.contracts.base import REGISTRY, Message, Part, from_bytes
from postroad_common.contracts.enrollments import (
    EnrollmentCreated,
    EnrollmentEnded,
    EnrollmentIntentChangedV1,
    EnrollmentsCreatedV1,
    EnrollmentsEndedV1,
    SequenceStateChangedV1,
)
from postroad_common.contracts.erasure import ContactsErasedV1, ErasedContact
from postroad_common.contracts.messages import MessagesSettledByHandV1, SettledByHand
from postroad_common.contracts.signals import (
    ContactBouncedV1,
    ContactClickedV1,
    ContactComplainedV1,
    ContactOpenedV1,
    ContactRepliedV1,
    ContactUnsubscribedV1,
    Evidence,
    MessagesDeliveredV1,
    Signal,
)
from postroad_common.contracts.steps import Outcome, StepDue, StepsDueV1, StepSettled, StepsSettledV1
from postroad_common.contracts.tracking import RecordedEvent, TrackingHit, TrackingHitsV1, TrackingRecordedV1

__all__ = [
    "REGISTRY",
    "ContactBouncedV1",
    "ContactClickedV1",
    "ContactComplainedV1",
    "ContactOpenedV1",
    "ContactRepliedV1",
    "ContactUnsubscribedV1",
    "ContactsErasedV1",
    "EnrollmentCreated",
    "EnrollmentEnded",
    "EnrollmentIntentChangedV1",
    "EnrollmentsCreatedV1",
    "EnrollmentsEndedV1",
    "ErasedContact",
    "Evidence",
    "Message",
    "MessagesDeliveredV1",
    "MessagesSettledByHandV1",
    "Outcome",
    "Part",
    "RecordedEvent",
    "SequenceStateChangedV1",
    "SettledByHand",
    "Signal",
    "StepDue",
    "StepSettled",
    "StepsDueV1",
    "StepsSettledV1",
    "TrackingHit",
    "TrackingHitsV1",
    "TrackingRecordedV1",
    "from_bytes",
]
