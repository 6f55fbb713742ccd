"""Analytics: what became of the messages that were sent."""

from datetime import date
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field, computed_field

from postroad_sequence_api.models.base import Query, View
from postroad_sequence_api.models.fields import Moment

_DIGITS: Final = 6

Rate = Annotated[float | None, Field(ge=0, le=1, examples=[0.25])]
"""A share of 0 to 1; null when there is nothing to divide by."""


class Span(Query):
    """Which messages: those handed to a mail server from since on and before until, whenever their events came."""

    since: Moment | None = None
    until: Moment | None = None


class SequenceSpan(Span):
    """Which messages of a sequence: of one version if it is named."""

    version: Annotated[int, Field(ge=1, le=999_999_999)] | None = None


class Counts(View):
    """Messages; each counts once in each column, however often it was opened.

    sent: accepted by the mail server, or unknown. attempted: these and what it refused as undeliverable.
    bounced: refused as undeliverable, or returned later. arrived: sent and not returned. delivered: as the
    provider reports, which not all do. opened, clicked: by a person; machine_opened, machine_clicked: by programs only,
    as the provider says.
    """

    attempted: int
    sent: int
    arrived: int
    delivered: int
    opened: int
    machine_opened: int
    clicked: int
    machine_clicked: int
    replied: int
    bounced: int
    complained: int
    unsubscribed: int

    @computed_field(description="Of those that arrived.")
    def open_rate(self) -> Rate:
        """Opened of arrived."""
        return _share(self.opened, self.arrived)

    @computed_field(description="Of those that arrived.")
    def click_rate(self) -> Rate:
        """Clicked of arrived."""
        return _share(self.clicked, self.arrived)

    @computed_field(description="Of those that arrived.")
    def reply_rate(self) -> Rate:
        """Replied of arrived."""
        return _share(self.replied, self.arrived)

    @computed_field(description="Of those that arrived.")
    def complaint_rate(self) -> Rate:
        """Complained of arrived."""
        return _share(self.complained, self.arrived)

    @computed_field(description="Of those that arrived.")
    def unsubscribe_rate(self) -> Rate:
        """Unsubscribed of arrived."""
        return _share(self.unsubscribed, self.arrived)

    @computed_field(description="Of those that were attempted.")
    def bounce_rate(self) -> Rate:
        """Bounced of attempted."""
        return _share(self.bounced, self.attempted)

    @computed_field(description="Of those that were sent; null while the provider reports no deliveries.")
    def delivery_rate(self) -> Rate:
        """Delivered of sent."""
        return _share(self.delivered, self.sent) if self.delivered else None


def _share(part: int, whole: int) -> float | None:
    """A bounce may be followed by an open elsewhere: no share is above 1."""
    return min(1.0, round(part / whole, _DIGITS)) if whole else None


NOTHING: Final = dict.fromkeys(Counts.model_fields, 0)


class StepCounts(Counts):
    """A step by its key, over all versions that hold it. number: in the version asked for, the active or latest one."""

    key: str
    number: int | None


class StepAnalytics(View):
    """The steps of a sequence, in order, and their sum."""

    sequence_id: UUID
    total: Counts
    steps: tuple[StepCounts, ...]


class DayCounts(Counts):
    """The messages that were sent on a day."""

    day: date


class DailyAnalytics(View):
    """The days on which a sequence sent, in order, in the tenant's time zone."""

    sequence_id: UUID
    timezone: str
    days: tuple[DayCounts, ...]


class SequenceCounts(Counts):
    """A sequence."""

    sequence_id: UUID
    name: str


class Overview(View):
    """The sequences of a tenant that sent anything, oldest first, and their sum."""

    total: Counts
    sequences: tuple[SequenceCounts, ...]
