"""All that one decision is taken on, in one value."""

from datetime import datetime
from typing import NamedTuple

from postroad_engine.definition import SequenceDefinition, Step
from postroad_engine.facts import ContactView, EnrollmentView, Facts, Policy
from postroad_engine.reasons import RetryAt


class Case(NamedTuple):
    """The arguments of `decide`. `retry` is the wait that a mail server's deferral asks for."""

    definition: SequenceDefinition
    enrollment: EnrollmentView
    contact: ContactView | None
    facts: Facts
    now: datetime
    policy: Policy
    retry: RetryAt | None

    @property
    def step(self) -> Step:
        """The step that is next or in hand; only where the version has it."""
        return self.definition.step(self.enrollment.step_number)
