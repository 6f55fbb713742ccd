"""What the scheduler raises."""

from uuid import UUID


class SchedulerError(Exception):
    """Base of the scheduler's errors."""


class DefinitionMissingError(SchedulerError):
    """A version that enrollments run on is not there, or was never activated."""

    def __init__(self, tenant_id: UUID, sequence_id: UUID, version: int) -> None:
        super().__init__(f"tenant {tenant_id} has no activated version {version} of sequence {sequence_id}")
