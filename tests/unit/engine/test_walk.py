"""Any life of an enrollment, whatever senders, people and outages do: it ends, or waits for something with a deadline.

The machine plays the scheduler: it applies each decision to a progress row as the real one does, and checks after
every step what must always hold.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from postroad_engine.decide import after_settlement, decide
from postroad_engine.facts import (
    BACKOFF,
    DEFAULT_POLICY,
    ContactView,
    Decision,
    End,
    EnrollmentView,
    Facts,
    Hold,
    Intent,
    Outcome,
    Send,
)
from postroad_engine.gate import Disposition, GateFacts, Stop, gate
from postroad_engine.inputs import inputs_hash
from postroad_engine.reasons import BounceType, Expired, Reason, SequenceState, ServerAnswered, StopKind, from_json
from postroad_engine.state_machine import ENDS, EnrollmentState, transition
from tests.size import examples
from tests.unit.engine.examples import DAY, HOUR, NOW, email, enrolled, sequence, settled

DEFINITION = sequence(
    email(1, timedelta(0)), email(2, 3 * DAY, NOW.time()), email(3, 2 * HOUR), email(4, DAY, NOW.time())
)
ZONES = [None, "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "No/Where"]
LONGEST_PAUSE = 50 * HOUR
OUTCOMES = [outcome for outcome in Outcome if outcome is not Outcome.CANCELLED]


class Walk(RuleBasedStateMachine):
    """One enrollment and the world around it."""

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = NOW
        self.facts = Facts()
        self.contact: ContactView | None = ContactView()
        self.row: EnrollmentView = enrolled()
        self.in_flight = False
        self.handed_over: list[str] = []
        self.decision: Decision = self.decide()
        self.apply(self.decision)

    def decide(self) -> Decision:
        return decide(DEFINITION, self.row, self.contact, facts=self.facts, now=self.now)

    def apply(self, decision: Decision) -> None:
        """What the scheduler writes."""
        self.decision = decision
        self.decided_at = self.now
        state = self.row.state if decision.event is None else transition(self.row.state, decision.event)
        match decision:
            case End():
                assert decision.state is state
                self.row = replace(self.row, state=state)
            case Send() | Hold():
                same_step = decision.step.number == self.row.step_number
                self.row = replace(
                    self.row,
                    state=state,
                    step_number=decision.step.number,
                    anchor_at=decision.anchor_at,
                    deferrals=decision.deferrals,
                    next_due_at=decision.due_at,
                    attempt=self.row.attempt if same_step else 0,
                )

    # --- the scheduler's clock

    @rule(hours=st.integers(0, 100))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @precondition(lambda self: isinstance(self.decision, Send) and not self.in_flight)
    @rule()
    def wait_until_it_is_due_and_give_it_to_a_sender(self) -> None:
        assert isinstance(self.decision, Send)
        self.now = max(self.now, self.decision.due_at)
        self.row = replace(self.row, attempt=self.row.attempt + 1)
        self.in_flight = True

    @precondition(lambda self: isinstance(self.decision, Hold))
    @rule()
    def look_again_at_what_is_held(self) -> None:
        assert isinstance(self.decision, Hold)
        self.now = max(self.now, self.decision.until)
        self.apply(self.decide())

    # --- the sender

    @precondition(lambda self: self.in_flight)
    @rule(
        outcome=st.sampled_from(OUTCOMES),
        bounce_type=st.none() | st.sampled_from(BounceType),
        retry_after=st.none() | st.integers(0, 10**6).map(lambda seconds: timedelta(seconds=seconds)),
    )
    def the_sender_answers(
        self, outcome: Outcome, bounce_type: BounceType | None, retry_after: timedelta | None
    ) -> None:
        verdict = gate(self.gate_facts())
        reasons: tuple[Reason, ...] = (ServerAnswered(450, None, "words"),)
        if isinstance(verdict, Stop):
            held = verdict.disposition is Disposition.HELD
            outcome, reasons = (Outcome.HELD if held else Outcome.CANCELLED), (verdict.reason,)
        elif outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN):
            self.handed_over.append(self.key())
        self.settle(outcome, reasons, bounce_type, retry_after)

    @precondition(lambda self: self.in_flight)
    @rule(late=st.integers(24, 200))
    def the_sender_finds_it_expired(self, late: int) -> None:
        assert isinstance(self.decision, Send)
        self.now = max(self.now, self.decision.send_before) + timedelta(hours=late)
        self.settle(Outcome.HELD, (Expired(self.decision.send_before),), None, None)

    @rule(attempt=st.integers(0, 3), step=st.integers(1, 4), outcome=st.sampled_from(Outcome))
    def an_old_settlement_comes_again(self, attempt: int, step: int, outcome: Outcome) -> None:
        before = self.row
        if (step, attempt) == (before.step_number, before.attempt) or self.in_flight:
            return
        old = settled(outcome, step=step, attempt=attempt, when=self.now)
        decision = after_settlement(DEFINITION, before, self.contact, facts=self.facts, settlement=old, now=self.now)
        assert decision == self.decide()

    def settle(
        self,
        outcome: Outcome,
        reasons: tuple[Reason, ...],
        bounce_type: BounceType | None,
        retry_after: timedelta | None,
    ) -> None:
        settlement = replace(
            settled(outcome, *reasons, when=self.now, attempt=self.row.attempt),
            step_key=self.key(),
            bounce_type=bounce_type,
            retry_after=retry_after,
        )
        self.in_flight = False
        self.apply(
            after_settlement(DEFINITION, self.row, self.contact, facts=self.facts, settlement=settlement, now=self.now)
        )

    # --- people

    @rule(intent=st.sampled_from(Intent))
    def somebody_pauses_resumes_or_stops_it(self, intent: Intent) -> None:
        if self.facts.intent is not Intent.STOP:
            self.facts = replace(self.facts, intent=intent)
            self.look_at_changes()

    @rule(state=st.sampled_from(SequenceState))
    def somebody_pauses_the_sequence(self, state: SequenceState) -> None:
        self.facts = replace(self.facts, sequence_state=state)
        self.look_at_changes()

    @rule(by_person=st.booleans(), hours=st.none() | st.integers(-5, LONGEST_PAUSE // HOUR))
    def the_sender_is_paused(self, by_person: bool, hours: int | None) -> None:
        until = None if hours is None else self.now + timedelta(hours=hours)
        self.facts = replace(self.facts, sender_paused_by_person=by_person, sender_paused_until=until)

    @rule(kinds=st.frozensets(st.sampled_from(StopKind)))
    def the_contact_does_something(self, kinds: frozenset[StopKind]) -> None:
        self.facts = replace(self.facts, stops=kinds)
        self.look_at_changes()

    @rule(timezone=st.sampled_from(ZONES))
    def the_contact_moves(self, timezone: str | None) -> None:
        self.contact = None if self.contact is None else ContactView(timezone)

    def look_at_changes(self) -> None:
        """Nothing in flight is decided on; the gate and the settlement see what changed."""
        if not self.in_flight:
            self.apply(self.decide())

    # --- what always holds

    @invariant()
    def it_has_ended_or_has_a_deadline(self) -> None:
        match self.decision:
            case End():
                assert self.row.state in ENDS
                assert not self.in_flight
            case Send():
                assert self.decision.due_at < self.decision.send_before
            case Hold():
                assert timedelta(0) < self.decision.until - self.decided_at <= LONGEST_PAUSE

    @invariant()
    def no_step_is_handed_over_twice(self) -> None:
        assert len(self.handed_over) == len(set(self.handed_over))

    @invariant()
    def steps_are_handed_over_in_order(self) -> None:
        assert self.handed_over == sorted(self.handed_over)

    @invariant()
    def the_ladder_has_an_end(self) -> None:
        assert self.row.deferrals <= len(BACKOFF)

    @invariant()
    def every_decision_says_why_and_its_reasons_can_be_kept(self) -> None:
        assert self.decision.reasons
        for reason in self.decision.reasons:
            assert from_json(reason.to_json()) == reason
            assert reason.sentence()

    @invariant()
    def the_same_inputs_give_the_same_decision_and_hash(self) -> None:
        assert self.decide() == self.decide()
        assert self.fingerprint() == self.fingerprint()

    def fingerprint(self) -> bytes:
        return inputs_hash(DEFINITION, self.row, self.contact, facts=self.facts, now=self.now)

    def key(self) -> str:
        return DEFINITION.step(self.row.step_number).key

    def gate_facts(self) -> GateFacts:
        assert isinstance(self.decision, Send)
        return GateFacts(
            now=self.now,
            due_at=self.decision.due_at,
            send_before=self.decision.send_before,
            held=False,
            lost_until=None,
            contact_exists=self.contact is not None,
            sequence_state=self.facts.sequence_state,
            intent=self.facts.intent,
            progress_state=self.row.state,
            stops=self.facts.stops,
            sender_paused_by_person=self.facts.sender_paused_by_person,
            sender_paused_until=self.facts.sender_paused_until,
            row_is_ours=True,
            incarnation_live=True,
        )


TestWalk = Walk.TestCase
TestWalk.settings = settings(max_examples=examples(80), stateful_step_count=40)


def test_left_alone_every_enrollment_ends_within_a_bounded_number_of_decisions() -> None:
    """The worst server there is puts every step off as often as it can and as long as it may."""
    walk = Walk()
    decisions = 0
    while not isinstance(walk.decision, End):
        if isinstance(walk.decision, Send):
            walk.wait_until_it_is_due_and_give_it_to_a_sender()
            last_rung = walk.row.deferrals == len(BACKOFF)
            outcome = Outcome.ACCEPTED if last_rung else Outcome.DEFERRED
            walk.settle(outcome, (ServerAnswered(450, None, "later"),), None, 90 * DAY)
        decisions += 1
        assert decisions <= len(DEFINITION.steps) * (len(BACKOFF) + 1)
    assert walk.row.state is EnrollmentState.COMPLETED
    assert walk.now - NOW <= len(DEFINITION.steps) * (len(BACKOFF) * DEFAULT_POLICY.retry_after_limit + 5 * DAY)
