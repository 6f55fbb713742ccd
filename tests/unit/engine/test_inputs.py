"""The fingerprint of a decision's inputs."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from postroad_engine.facts import ContactView, Facts, Intent, Outcome, Policy
from postroad_engine.inputs import inputs_hash
from postroad_engine.reasons import StopKind, Suppressed
from tests.unit.engine.examples import NOW, enrolled, sequence, settled

DEFINITION = sequence()


def test_any_input_that_differs_gives_another_hash() -> None:
    enrollment, contact, facts = enrolled(), ContactView("UTC"), Facts()
    settlement = settled(Outcome.CANCELLED, Suppressed(StopKind.MANUAL))
    hashes = [
        inputs_hash(DEFINITION, enrollment, contact, facts=facts, now=NOW),
        inputs_hash(replace(DEFINITION, version=2), enrollment, contact, facts=facts, now=NOW),
        inputs_hash(replace(DEFINITION, sequence_id=UUID(int=9)), enrollment, contact, facts=facts, now=NOW),
        inputs_hash(DEFINITION, replace(enrollment, attempt=1), contact, facts=facts, now=NOW),
        inputs_hash(DEFINITION, enrollment, None, facts=facts, now=NOW),
        inputs_hash(DEFINITION, enrollment, ContactView(), facts=facts, now=NOW),
        inputs_hash(DEFINITION, enrollment, contact, facts=Facts(intent=Intent.PAUSE), now=NOW),
        inputs_hash(DEFINITION, enrollment, contact, facts=Facts(stops=frozenset({StopKind.MANUAL})), now=NOW),
        inputs_hash(DEFINITION, enrollment, contact, facts=facts, now=NOW + timedelta(microseconds=1)),
        inputs_hash(DEFINITION, enrollment, contact, facts=facts, now=NOW, settlement=settlement),
        inputs_hash(DEFINITION, enrollment, contact, facts=facts, now=NOW, policy=Policy(look_again=timedelta(1))),
    ]
    assert len(set(hashes)) == len(hashes)
    assert {len(each) for each in hashes} == {16}


def test_the_same_inputs_give_the_same_hash_in_every_process() -> None:
    facts = Facts(stops=frozenset({StopKind.REPLIED, StopKind.MANUAL, StopKind.BOUNCED}))
    settlement = settled(Outcome.DEFERRED, Suppressed(StopKind.MANUAL), retry_after=timedelta(seconds=5))
    fingerprint = inputs_hash(DEFINITION, enrolled(), ContactView(), facts=facts, now=NOW, settlement=settlement)
    assert fingerprint.hex() == "fc0b3521eef52223996892426b83d069"
