"""Messages: read back as written, tolerant of what is newer, strict about what they need."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from postroad_common.amqp.topology import QUEUES
from postroad_common.contracts import (
    REGISTRY,
    Message,
    SequenceStateChangedV1,
    StepDue,
    StepsDueV1,
    StepSettled,
    StepsSettledV1,
    from_bytes,
)
from postroad_common.errors import ContractError

ID = UUID(int=1)
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def due(number: int) -> StepDue:
    return StepDue(
        enrollment_id=UUID(int=number),
        contact_id=ID,
        sequence_id=ID,
        version=1,
        step_key="welcome",
        step_number=1,
        attempt=1,
        due_at=NOW,
        send_before=NOW,
    )


def steps_due(count: int) -> StepsDueV1:
    return StepsDueV1(tenant_id=ID, sender_id=ID, items=tuple(due(n) for n in range(count)))


def test_a_message_reads_back_as_it_was_written() -> None:
    settled = StepSettled(
        enrollment_id=ID,
        step_key="welcome",
        attempt=2,
        outcome="deferred",
        settled_at=NOW,
        reasons=({"kind": "reply", "code": 451},),
        retry_after=30.5,
    )
    for message in (steps_due(50), StepsSettledV1(tenant_id=ID, items=(settled,))):
        assert from_bytes(message.type, message.to_bytes()) == message


def test_a_field_of_a_newer_version_is_ignored() -> None:
    body = b'{"tenant_id":"' + str(ID).encode() + b'","sequence_id":"' + str(ID).encode() + b'","colour":"red"}'

    assert from_bytes("sequences.state_changed.v1", body) == SequenceStateChangedV1(tenant_id=ID, sequence_id=ID)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b"\xff\xfe", b'{"tenant_id": "x"}', b"{" * 100_000])
@pytest.mark.parametrize("type_", ["steps.due.v1", "steps.due.v2", "", "x" * 10_000])
def test_what_is_no_message_is_refused_with_a_bounded_reason(type_: str, body: bytes) -> None:
    with pytest.raises(ContractError) as refused:
        from_bytes(type_, body)
    assert len(str(refused.value)) < 1_000


@pytest.mark.parametrize("count", [0, 51])
def test_a_batch_has_between_one_item_and_fifty(count: int) -> None:
    with pytest.raises(ValueError, match="items"):
        steps_due(count)


def test_a_batch_splits_into_singles_that_are_whole_messages() -> None:
    message = steps_due(3)

    singles = message.singles()

    assert [single.items for single in singles] == [(item,) for item in message.items]
    assert all(from_bytes(single.type, single.to_bytes()) == single for single in singles)
    assert singles[0].singles() == (singles[0],)


def test_messages_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        steps_due(1).sender_id = UUID(int=2)  # type: ignore[misc]  # what must fail


def test_two_classes_of_one_type_are_refused() -> None:
    with pytest.raises(TypeError, match="two messages"):
        type("Twin", (Message,), {"type": "steps.due.v1", "__annotations__": {}, "__module__": __name__})


def test_every_type_has_a_queue_and_every_queue_takes_known_types() -> None:
    assert {type_ for queue in QUEUES.values() for type_ in queue.types} == set(REGISTRY)
    assert all(len(queue.types) == len(set(queue.types)) for queue in QUEUES.values())
