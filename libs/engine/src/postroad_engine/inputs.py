"""A fingerprint of what a decision was taken on, stored with it: the same inputs give the same decision."""

from datetime import datetime, timedelta
from functools import cache
from hashlib import blake2b
from uuid import UUID

import orjson

from postroad_engine.definition import SequenceDefinition
from postroad_engine.facts import DEFAULT_POLICY, ContactView, EnrollmentView, Facts, Policy, Settlement
from postroad_engine.reasons import Reason

_BYTES = 16


def inputs_hash(
    definition: SequenceDefinition,
    enrollment: EnrollmentView,
    contact: ContactView | None,
    *,
    facts: Facts,
    now: datetime,
    settlement: Settlement | None = None,
    policy: Policy = DEFAULT_POLICY,
) -> bytes:
    """16 bytes. A version never changes, so its id and number stand for the definition."""
    spans = orjson.Fragment(_policy_json(policy))
    inputs = (definition.sequence_id, definition.version, enrollment, contact, facts, now, settlement, spans)
    return blake2b(orjson.dumps(inputs, default=_plain), digest_size=_BYTES).digest()


@cache
def _policy_json(policy: Policy) -> bytes:
    """A process has one policy, or few, and its many spans would be most of the work."""
    return orjson.dumps(policy, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, UUID):  # a driver's own kind of UUID, which orjson does not take for one
        return str(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Reason):
        return value.to_json()
    raise TypeError(f"{type(value).__name__} is no input of a decision")
