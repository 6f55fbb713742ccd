"""The values that travel through the sender: an item that is due, what was seen of it, what became of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

from asyncpg import Record

from postroad_common.contracts import StepDue, StepSettled
from postroad_engine.facts import Intent, Outcome
from postroad_engine.gate import GateFacts
from postroad_engine.reasons import BounceType, SequenceState, StopKind
from postroad_engine.state_machine import EnrollmentState

Key: TypeAlias = tuple[UUID, UUID, str]
"""Tenant, enrollment, step key: what the ledger is unique on."""

FINAL = frozenset({"accepted", "refused", "unknown", "cancelled"})


@dataclass(frozen=True, slots=True)
class Due:
    """One item of a batch with the batch's tenant and sender."""

    tenant_id: UUID
    sender_id: UUID
    message_id: UUID
    item: StepDue

    @property
    def key(self) -> Key:
        """What the ledger knows it by."""
        return self.tenant_id, self.item.enrollment_id, self.item.step_key


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one attempt, as the ledger has it."""

    outcome: Outcome
    settled_at: datetime
    reasons: Sequence[dict[str, Any]] = ()
    bounce_type: BounceType | None = None
    retry_after: timedelta | None = None

    def to_contract(self, due: Due, traceparent: str | None) -> StepSettled:
        """As it is told to the scheduler."""
        return StepSettled.model_construct(
            enrollment_id=due.item.enrollment_id,
            step_key=due.item.step_key,
            attempt=due.item.attempt,
            outcome=self.outcome.value,
            settled_at=self.settled_at,
            reasons=tuple(self.reasons),
            bounce_type=None if self.bounce_type is None else self.bounce_type.value,
            retry_after=None if self.retry_after is None else self.retry_after.total_seconds(),
            traceparent=traceparent,
        )


@dataclass(frozen=True, slots=True)
class TryLater:
    """Nothing was decided: the item takes the retry ladder."""

    why: str


Result: TypeAlias = Settled | TryLater

Ending: TypeAlias = "asyncio.Future[Result]"
"""What an item will come to; everybody who has the item in hand waits for the same."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at an item: its ledger row if there is one, and what may forbid it, in one snapshot."""

    row: Record

    @property
    def now(self) -> datetime:
        """When it was looked at, by the database's clock."""
        now: datetime = self.row["now"]
        return now

    def is_ours(self, due: Due, incarnation_id: UUID) -> bool:
        """Whether this process may transmit this attempt."""
        row = self.row
        return bool(
            row["state"] == "transmitting"
            and row["attempt"] == due.item.attempt
            and row["incarnation_id"] == incarnation_id
        )

    def may_have_been_sent_since(self, due: Due) -> datetime:
        """The earliest moment at which it may have been sent in the lost life of a restored database."""
        return max(due.item.due_at, self.row["lost_from"] or due.item.due_at)

    def known(self, due: Due) -> Result | None:
        """What the ledger says of this attempt. None: it is free to be claimed."""
        row = self.row
        state = row["state"]
        if state in FINAL:
            return self._settled()
        if state == "transmitting":
            return TryLater("it is being transmitted")
        if state is None or row["attempt"] < due.item.attempt:
            return None
        if row["attempt"] == due.item.attempt:
            return self._settled()
        return self._past()

    def _settled(self) -> Settled:
        row = self.row
        bounce = None if row["bounce_type"] is None else BounceType(row["bounce_type"])
        return Settled(Outcome(row["state"]), row["settled_at"], row["reason"], bounce)

    def _past(self) -> Result:
        row = self.row
        if row["past_outcome"] is None:  # a later attempt came first: this one never began and never will
            return Settled(Outcome.HELD, self.now)
        return Settled(Outcome(row["past_outcome"]), row["past_settled_at"], row["past_reason"])

    def gate_facts(self, due: Due, *, row_is_ours: bool, incarnation_live: bool) -> GateFacts:
        """What the engine's gate asks about."""
        row = self.row
        progress = row["progress_state"]
        return GateFacts(
            now=row["now"],
            due_at=due.item.due_at,
            send_before=due.item.send_before,
            held=row["held"],
            lost_until=row["lost_until"],
            contact_exists=row["email"] is not None,
            sequence_state=SequenceState(row["sequence_state"] or "archived"),
            intent=Intent(row["intent"] or "stop"),
            progress_state=None if progress is None else EnrollmentState(progress),
            stops=frozenset(map(StopKind, row["stops"])),
            sender_paused_by_person=row["sender_paused_by_person"],
            sender_paused_until=row["sender_paused_until"],
            row_is_ours=row_is_ours,
            incarnation_live=incarnation_live,
        )
