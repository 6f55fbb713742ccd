"""Values that the tests of the engine share."""

from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from postroad_engine.definition import EmailStep, SequenceDefinition
from postroad_engine.facts import EnrollmentView, Outcome, Settlement
from postroad_engine.reasons import BounceType, Reason

NOW = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)  # a Monday
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def email(number: int, delay: timedelta = DAY, preferred_time: time | None = None) -> EmailStep:
    return EmailStep(
        key=f"step-{number}",
        number=number,
        delay=delay,
        preferred_time=preferred_time,
        template_id=UUID(int=number),
        template_version=1,
    )


def sequence(*steps: EmailStep) -> SequenceDefinition:
    return SequenceDefinition(UUID(int=1), 1, UUID(int=2), steps or (email(1, timedelta(0)), email(2), email(3)))


def enrolled(**changes: object) -> EnrollmentView:
    return EnrollmentView(UUID(int=3), **({"anchor_at": NOW} | changes))  # type: ignore[arg-type]  # fields by name


def settled(
    outcome: Outcome,
    *reasons: Reason,
    step: int = 1,
    attempt: int = 1,
    when: datetime = NOW,
    bounce_type: BounceType | None = None,
    retry_after: timedelta | None = None,
) -> Settlement:
    return Settlement(f"step-{step}", attempt, outcome, when, reasons, bounce_type, retry_after)
